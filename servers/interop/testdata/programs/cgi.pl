#!/usr/bin/perl
# The application's twin as a CGI program in Perl, for what interop asks.
use strict;
use warnings;
use Digest::SHA;
use Time::HiRes;

binmode STDIN;
binmode STDOUT;
$| = 1;

my ($method, $query) = @ENV{qw(REQUEST_METHOD QUERY_STRING)};
my $path = ($ENV{SCRIPT_NAME} // '') . ($ENV{PATH_INFO} // '');

sub param {
	my ($key, $default) = @_;
	for (split /&/, $query) {
		return $1 if /^\Q$key\E=(.*)/;
	}
	return $default;
}

sub text {
	my ($status, $text, @fields) = @_;
	print map {"$_\n"} $status eq '200 OK' ? () : "Status: $status", @fields,
		'Content-Type: text/plain; charset=utf-8', 'Content-Length: ' . length($text), '';
	print $text unless $method eq 'HEAD';
}

sub allow {
	return if grep { $_ eq $method } @_;
	my $methods = join ', ', @_;
	text('405 Method Not Allowed', "405 method not allowed: use $methods\n", "Allow: $methods");
	exit;
}

# digest reads the body, which ends where CONTENT_LENGTH says, or the first
# bytes of it.
sub digest {
	my ($first) = @_;
	my ($left, $n, $sha) = ($ENV{CONTENT_LENGTH} || 0, 0, Digest::SHA->new(256));
	$left = $first if $first && $first < $left;
	while ($left > 0) {
		my $got = read STDIN, my $block, $left < 65536 ? $left : 65536;
		last unless $got;
		$sha->add($block);
		$left -= $got;
		$n += $got;
	}
	return ($n, $sha->hexdigest);
}

sub fields {
	my %fields;
	$fields{'Content-Type'} = $ENV{CONTENT_TYPE} if length($ENV{CONTENT_TYPE} // '');
	for (grep {/^HTTP_/} keys %ENV) {
		my $name = join '-', map { ucfirst lc } split /_/, substr($_, 5);
		next if $name =~ /^(Host|Content-Length|Expect|(Proxy-)?Authorization|Proxy|Connection|Keep-Alive|Proxy-Connection|Te|Trailer|Transfer-Encoding|Upgrade)$/;
		($fields{$name} = $ENV{$_}) =~ s/([\x00-\x1f\x7f%])/sprintf '%%%02X', ord $1/ge;
	}
	return map {"header $_: $fields{$_}\n"} sort keys %fields;
}

if ($path eq '/hello') {
	allow('GET', 'HEAD');
	text('200 OK', "hello\n");
} elsif ($path eq '/echo') {
	my ($n, $sum) = digest();
	text('200 OK', join '', "method $method\npath /echo\nquery $query\n", fields(), "body $n\nsha256 $sum\n");
} elsif ($path eq '/upload') {
	allow('POST', 'PUT');
	my ($n, $sum) = digest(param('first', 0));
	text('200 OK', "bytes $n\nsha256 $sum\n");
} elsif ($path eq '/bytes') {
	my ($left, $every, $head) = (param('n', 1024), param('every', 0), param('head', 0));
	print 'X-Head: ', 'x' x $head, "\n" if $head;
	print "Content-Type: application/octet-stream\nContent-Length: $left\n\n";
	my $block = join('', 'a' .. 'z', 'A' .. 'Z', 0 .. 9, "-\n") x 512;
	while ($left > 0) {
		print substr($block, 0, $left) or exit 1;
		$left -= length $block;
		Time::HiRes::sleep($every / 1000) if $every && $left > 0;
	}
} elsif ($path eq '/stream') {
	my ($chunks, $every) = (param('chunks', 5), param('every', 100));
	print "Content-Type: text/plain; charset=utf-8\n\n";
	for my $i (1 .. $chunks) {
		print "chunk $i of $chunks\n" or exit 1;
		Time::HiRes::sleep($every / 1000) if $every && $i < $chunks;
	}
} else {
	text('404 Not Found', "404 not found: / lists the routes\n");
}
