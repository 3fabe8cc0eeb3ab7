<?php
// The application's twin in PHP, for what interop asks.
declare(strict_types=1);

while (ob_get_level()) {
	ob_end_clean();
}
ob_implicit_flush(true);

$method = $_SERVER['REQUEST_METHOD'];
$query = $_SERVER['QUERY_STRING'] ?? '';

function param(string $key, int $default): int
{
	global $query;
	foreach (explode('&', $query) as $pair) {
		[$name, $value] = explode('=', $pair, 2) + [1 => ''];
		if ($name === $key) {
			return (int) $value;
		}
	}
	return $default;
}

function text(int $status, string $text): void
{
	global $method;
	http_response_code($status);
	header('Content-Type: text/plain; charset=utf-8');
	header('Content-Length: ' . strlen($text));
	if ($method !== 'HEAD') {
		echo $text;
	}
}

function allow(string ...$methods): void
{
	global $method;
	if (!in_array($method, $methods, true)) {
		$allowed = implode(', ', $methods);
		header("Allow: $allowed");
		text(405, "405 method not allowed: use $allowed\n");
		exit;
	}
}

function digest(int $first = 0): array
{
	$body = fopen('php://input', 'rb');
	$sha = hash_init('sha256');
	$n = hash_update_stream($sha, $body, $first ?: -1);
	return [$n, hash_final($sha)];
}

function fields(): string
{
	$fields = [];
	if (($_SERVER['CONTENT_TYPE'] ?? '') !== '') {
		$fields['Content-Type'] = $_SERVER['CONTENT_TYPE'];
	}
	foreach ($_SERVER as $key => $value) {
		if (!str_starts_with($key, 'HTTP_')) {
			continue;
		}
		$name = ucwords(strtolower(strtr(substr($key, 5), '_', '-')), '-');
		if (!preg_match('/^(Host|Content-Length|Content-Type|Expect|(Proxy-)?Authorization|Proxy|Connection|Keep-Alive|Proxy-Connection|Te|Trailer|Transfer-Encoding|Upgrade)$/', $name)) {
			$fields[$name] = preg_replace_callback('/[\x00-\x1f\x7f%]/', fn ($m) => sprintf('%%%02X', ord($m[0])), $value);
		}
	}
	ksort($fields, SORT_STRING);
	$text = '';
	foreach ($fields as $name => $value) {
		$text .= "header $name: $value\n";
	}
	return $text;
}

switch (($_SERVER['SCRIPT_NAME'] ?? '') . ($_SERVER['PATH_INFO'] ?? '')) {
	case '/hello':
		allow('GET', 'HEAD');
		text(200, "hello\n");
		break;
	case '/echo':
		[$n, $sum] = digest();
		text(200, "method $method\npath /echo\nquery $query\n" . fields() . "body $n\nsha256 $sum\n");
		break;
	case '/upload':
		allow('POST', 'PUT');
		[$n, $sum] = digest(param('first', 0));
		text(200, "bytes $n\nsha256 $sum\n");
		break;
	case '/bytes':
		$left = param('n', 1024);
		$every = param('every', 0);
		header('Content-Type: application/octet-stream');
		header("Content-Length: $left");
		if ($head = param('head', 0)) {
			header('X-Head: ' . str_repeat('x', $head));
		}
		$block = str_repeat("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\n", 512);
		while ($left > 0) {
			echo $left < strlen($block) ? substr($block, 0, $left) : $block;
			$left -= strlen($block);
			if ($every && $left > 0) {
				flush();
				usleep($every * 1000);
			}
		}
		break;
	case '/stream':
		$chunks = param('chunks', 5);
		$every = param('every', 100);
		header('Content-Type: text/plain; charset=utf-8');
		for ($i = 1; $i <= $chunks; $i++) {
			echo "chunk $i of $chunks\n";
			flush();
			if ($every && $i < $chunks) {
				usleep($every * 1000);
			}
		}
		break;
	default:
		text(404, "404 not found: / lists the routes\n");
}
