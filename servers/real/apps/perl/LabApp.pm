# The application of servers/app in Perl: the same answers, byte for byte. What
# a request is and where an answer goes, whoever calls it says: labapp.pl for
# CGI and FastCGI, LabModPerl.pm for Apache's mod_perl.
package LabApp;

use strict;
use warnings;
use Fcntl qw(:flock O_RDWR);
use File::Basename ();
use Time::HiRes    ();

my $TEXT    = 'text/plain; charset=utf-8';
my $GET     = 'GET, HEAD';
my $PATTERN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\n";
my $FILES   = File::Basename::dirname(__FILE__) . '/../static';
my $CRASH   = 70;    # EX_SOFTWARE of sysexits.h
my %REASON  = (
	200 => 'OK', 400 => 'Bad Request', 404 => 'Not Found', 405 => 'Method Not Allowed',
	426 => 'Upgrade Required', 500 => 'Internal Server Error', 501 => 'Not Implemented',
	502 => 'Bad Gateway', 504 => 'Gateway Timeout',
);

# A parameter is [key, value if absent, low, high, suffix, what is expected].
my @MS    = ([ 'ms', 50, 0, 600_000 ]);
my @UNITS = ([ 'units', 50, 0, 100_000 ]);
my @EVERY = ('every', 100, 0, 60_000, 'ms', 'milliseconds, ');
my @PAUSE = ('every', 0, @EVERY[ 2 .. 5 ]);
my %ROUTES = (
	'/'       => [ $GET, sub { file($_[0], 'index.txt', $TEXT) } ],
	'/hello'  => [ $GET, sub { text($_[0], 200, "hello\n") } ],
	'/wait'   => [ $GET, \&waiting, @MS ],
	'/cpu'    => [ $GET, sub { text($_[0], 200, worked($_[1])) }, @UNITS ],
	'/mixed'  => [ $GET, \&mixed, @MS, @UNITS ],
	'/locked' => [ $GET, \&locked, [ 'wait', 40, 0, 600_000 ], [ 'hold', 10, 0, 60_000 ] ],
	'/block'  => [ $GET, sub { pause_ms($_[1]); text($_[0], 200, "blocked $_[1] ms\n") }, [ 'ms', 200, 0, 60_000 ] ],
	'/upstream' => [ $GET, \&upstream, [ 'timeout', 1000, 1, 60_000 ] ],
	'/db'     => [ $GET, \&db, [ 'key', 1, 1, 1_000_000 ], [ 'ms', 20, 0, 60_000 ], [ 'rows', 0, 0, 1_000_000 ], [ 'hold', 0, 0, 60_000 ] ],
	'/echo'   => [ '', \&echo ],
	'/upload' => [ 'POST, PUT', \&upload, [ 'first', 0, 0, 64 << 20 ] ],
	'/stream' => [ $GET, \&stream, [ 'chunks', 5, 1, 100_000 ], [@EVERY] ],
	'/bytes'  => [ $GET, \&many_bytes, [ 'n', 1024, 0, 64 << 20 ], [@PAUSE], [ 'head', 0, 0, 1 << 20 ] ],
	'/ws'     => [ $GET, sub { text($_[0], 426, "426 upgrade required: WebSocket is spoken here, where the server can\n", 'Upgrade', 'websocket') } ],
	'/crash'  => [ $GET, \&crash ],
	'/hang'   => [ $GET, sub { sleep 3600 while 1 } ],
	'/leak'   => [ $GET, \&leak, [ 'mib', 1, 0, 1024 ] ],
);
my %KIND = (
	'index.html' => 'text/html; charset=utf-8', 'style.css' => 'text/css; charset=utf-8',
	'lab.svg' => 'image/svg+xml', 'about.txt' => $TEXT,
);

# respond answers a request: a hash with method, path (decoded), query (raw),
# fields (a sub: the header as [name, value] …), read (a sub: the next piece of
# the body, '' at its end), start (a sub: status, reason, name, value …), write
# and flush.
sub respond {
	my ($r) = @_;
	my $route = $ROUTES{ $r->{path} };
	$route ||= [ $GET, \&static ] if $r->{path} =~ m{^/static/};
	return text($r, 404, "404 not found: / lists the routes\n") unless $route;
	my ($allow, $handler, @params) = @$route;
	return text($r, 405, "405 method not allowed: use $allow\n", 'Allow', $allow)
		if $allow && !grep { $_ eq $r->{method} } split /, /, $allow;
	my @values;
	for my $p (@params) {
		my ($value, $fault) = number($r->{query}, @$p);
		return text($r, 400, "400 bad request: $fault\n") if $fault;
		push @values, $value;
	}
	return $handler->($r, @values);
}

sub text {
	my ($r, $status, $body, @more) = @_;
	content($r, $status, $TEXT, $body, @more);
}

sub content {
	my ($r, $status, $kind, $body, @more) = @_;
	$r->{start}->($status, $REASON{$status}, 'Content-Type', $kind, 'Content-Length', length $body, @more);
	$r->{write}->($body) unless $r->{method} eq 'HEAD';
}

sub number {
	my ($query, $key, $absent, $low, $high, $suffix, $expects) = @_;
	my $raw = lookup($query, $key);
	return $absent unless defined $raw;
	my $digits = $raw;
	$digits =~ s/\Q$suffix\E\z// if $suffix;
	return int $digits if $digits =~ /\A[0-9]{1,9}\z/ && $digits >= $low && $digits <= $high;
	return undef, "$key=" . escape(substr($raw, 0, 40), 1) . ': expected ' . ($expects || '') . "a whole number from $low to $high";
}

# The first value of a key in a raw query.
sub lookup {
	my ($query, $key) = @_;
	for my $pair (split /&/, $query, -1) {
		my ($name, $value) = split /=/, $pair, 2;
		return defined $value ? $value : '' if defined $name && $name eq $key;
	}
	return undef;
}

sub pause_ms {
	my $slow = $ENV{GATEWAYLAB_SLOW} || 1;
	$slow = 1 unless $slow =~ /\A[0-9]+\z/ && $slow >= 1 && $slow <= 100;
	Time::HiRes::sleep($_[0] * $slow / 1000) if $_[0];
}

sub waiting {
	my ($r, $ms) = @_;
	pause_ms($ms);
	text($r, 200, "waited $ms ms\n");
}

sub mixed {
	my ($r, $ms, $units) = @_;
	pause_ms($ms);
	text($r, 200, "waited $ms ms\n" . worked($units));
}

# A fixed amount of computing: see Work in servers/app/work.go.
sub worked {
	my ($units) = @_;
	require Digest::SHA;
	my $m = "\0" x 1984;
	substr($m, 0, 32) = Digest::SHA::sha256($m) for 1 .. $units * 90;
	return "units $units\nsha256 " . unpack('H*', substr $m, 0, 32) . "\n";
}

# The lock is one for all processes of the server; whoever takes it opens the
# file for himself.
sub locked {
	my ($r, $wait, $hold) = @_;
	pause_ms($wait);
	my $path = $ENV{GATEWAYLAB_LOCK};
	my $file;
	if ($path) {
		sysopen($file, $path, O_RDWR) && flock($file, LOCK_EX)
			or return text($r, 500, "500 internal server error: the lock: open $path: " . lc("$!") . "\n");
	}
	pause_ms($hold);
	close $file if $file;
	text($r, 200, "waited $wait ms\nheld $hold ms\n");
}

# The connection to the upstream, which is kept between requests where the
# process serves several.
my $link;

sub upstream {
	my ($r, $timeout) = @_;
	my ($host, $port) = ($ENV{GATEWAYLAB_UPSTREAM} // '') =~ /\A([0-9.]+):([0-9]+)\z/
		or return text($r, 501, "501 not implemented: there is no upstream; lab starts one with --upstream 100ms\n");
	my ($status, $said) = called($host, $port, $timeout / 1000);
	return text($r, 504, "504 gateway timeout: no answer from the upstream within $timeout ms\n") if $status == 0;
	return text($r, 502, "502 bad gateway: the upstream $said\n") if $status == -1;
	return text($r, 502, "502 bad gateway: the upstream answered $status\n") if $status != 200;
	text($r, 200, "upstream says $said");
}

# called returns the status and what was said, -1 and what went wrong, or 0 if
# the time was over.
sub called {
	my ($host, $port, $timeout) = @_;
	require Socket;
	my $until = Time::HiRes::time() + $timeout;
	my $socket = $link;
	undef $link;
	if (!$socket) {
		socket($socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0)
			&& connect($socket, Socket::pack_sockaddr_in($port, Socket::inet_aton($host)))
			or return -1, "can't be reached";
	}
	my ($wrote, $got) = (syswrite($socket, "GET / HTTP/1.1\r\nHost: $host:$port\r\n\r\n"), '');
	return -1, 'closed the connection in place of an answer' unless $wrote;
	while (1) {
		if ($got =~ /\A(.*?)\r\n\r\n(.*)\z/s) {
			my ($head, $body) = ($1, $2);
			my ($minor, $status) = $head =~ m{\AHTTP/1\.([0-9]) ([0-9]{3})};
			my ($length) = $head =~ /\r\nContent-Length:[ \t]*([0-9]+)/i;
			return -1, 'answered what is no HTTP' unless defined $status && defined $length && $length <= 65536;
			if (length $body >= $length) {
				$link = $socket if $minor && length $body == $length && $head !~ /\r\nConnection:[ \t]*close/i;
				return $status, substr $body, 0, $length;
			}
		} elsif (length $got > 8192) {
			return -1, 'answered what is no HTTP';
		}
		my $left = $until - Time::HiRes::time();
		my $ready = '';
		vec($ready, fileno $socket, 1) = 1;
		my $n = $left > 0 ? select($ready, undef, undef, $left) : 0;
		return 0, '' unless $n;
		next if $n < 0;    # a signal
		my $read = sysread $socket, $got, 4096, length $got;
		return -1, 'closed the connection in place of an answer' unless $read;
	}
}

# A driver for Perl is a package for each database, and none speaks here.
sub db {
	my ($r) = @_;
	my $op = lookup($r->{query}, 'op') // 'select';
	return text($r, 400, '400 bad request: op=' . escape(substr($op, 0, 40), 1) . ": expected select, update or slow\n")
		unless $op =~ /\A(?:select|update|slow)\z/;
	text($r, 501, '501 not implemented: ' . ($ENV{GATEWAYLAB_DB}
		? "there is no driver of a database in Perl here\n"
		: "there is no database; lab brings one with --db sqlite\n"));
}

sub digested {
	my ($r, $first) = @_;
	require Digest::SHA;
	my ($size, $sha) = (0, Digest::SHA->new(256));
	while (length(my $piece = $r->{read}->())) {
		$piece = substr $piece, 0, $first - $size if $first;
		$size += length $piece;
		$sha->add($piece);
		last if $first && $size == $first;
	}
	return $size, $sha->hexdigest;
}

my %NOT_CARRIED = map { $_ => 1 } qw(
	Host Content-Length Expect Authorization Proxy-Authorization Proxy Forwarded Via
	X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Real-Ip Connection Keep-Alive
	Proxy-Connection Te Trailer Transfer-Encoding Upgrade
);

sub echo {
	my ($r) = @_;
	my ($size, $digest) = digested($r);
	my %values;
	for my $field ($r->{fields}->()) {
		my ($name, $value) = @$field;
		$name = join '-', map { ucfirst lc } split /-/, $name, -1;
		next if $NOT_CARRIED{$name} || $name !~ /\A[A-Za-z0-9-]+\z/;
		$values{$name} = exists $values{$name} ? $values{$name} . ($name eq 'Cookie' ? '; ' : ', ') . $value : $value;
	}
	my $body = join "\n", 'method ' . escape($r->{method}, 1), 'path ' . escape($r->{path}, 1), 'query ' . escape($r->{query}, 0),
		(map { "header $_: " . escape($values{$_}, 1) } sort keys %values), "body $size", "sha256 $digest", '';
	text($r, 200, $body);
}

sub upload {
	my ($r, $first) = @_;
	my ($size, $digest) = digested($r, $first);
	text($r, 200, "bytes $size\nsha256 $digest\n");
}

sub stream {
	my ($r, $chunks, $every) = @_;
	$r->{start}->(200, 'OK', 'Content-Type', $TEXT);
	return if $r->{method} eq 'HEAD';
	for my $i (1 .. $chunks) {
		pause_ms($every) if $i > 1;
		$r->{write}->("chunk $i of $chunks\n");
		$r->{flush}->();
	}
}

sub many_bytes {
	my ($r, $n, $every, $head) = @_;
	$r->{start}->(200, 'OK', 'Content-Type', 'application/octet-stream', 'Content-Length', $n, $head ? ('X-Head', 'x' x $head) : ());
	return if $r->{method} eq 'HEAD';
	my $block = $PATTERN x 512;    # 32 KiB, a whole number of patterns
	while ($n > 0) {
		$r->{write}->($n < length $block ? substr $block, 0, $n : $block);
		$n -= length $block;
		next unless $every && $n > 0;
		$r->{flush}->();
		pause_ms($every);
	}
}

sub static {
	my ($r) = @_;
	my $name = substr($r->{path}, length '/static/') || 'index.html';
	return text($r, 404, "404 not found: / lists the routes\n") unless $KIND{$name};
	file($r, $name, $KIND{$name});
}

sub file {
	my ($r, $name, $kind) = @_;
	open my $f, '<:raw', "$FILES/$name"
		or return text($r, 500, "500 internal server error: a file is missing\n");
	local $/;
	content($r, 200, $kind, scalar <$f>);
}

sub crash {
	syswrite STDERR, "app: crash was asked for\n";
	require POSIX;
	POSIX::_exit($CRASH);
}

my @leaked;

sub leak {
	my ($r, $mib) = @_;
	push @leaked, "\1" x ($mib << 20);
	text($r, 200, "kept $mib MiB\n");
}

# Control bytes, and "%" if it is not one already, as %XX.
sub escape {
	my ($s, $percent) = @_;
	if   ($percent) { $s =~ s/([\x00-\x1f\x7f%])/sprintf '%%%02X', ord $1/ge }
	else            { $s =~ s/([\x00-\x1f\x7f])/sprintf '%%%02X', ord $1/ge }
	return $s;
}

# fields_of lists a CGI environment's header.
sub fields_of {
	my ($env) = @_;
	my @fields = map { my $name = substr $_, 5; $name =~ tr/_/-/; [ $name, $env->{$_} ] } grep { /^HTTP_/ } keys %$env;
	push @fields, [ 'Content-Type', $env->{CONTENT_TYPE} ] if length($env->{CONTENT_TYPE} // '');
	return @fields;
}

1;
