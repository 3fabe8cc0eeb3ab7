#!/usr/bin/perl
# The application as a CGI program (RFC 3875), or, where descriptor 0 is a
# listening socket, as a FastCGI responder, which serves one request after the
# other.
use strict;
use warnings;
use File::Basename ();
use IO::Handle     ();
use Socket qw(SOL_SOCKET SO_ACCEPTCONN);
use lib File::Basename::dirname(__FILE__);
use LabApp;

sub serve {
	my ($env, $in, $out) = @_;
	my $left = $env->{CONTENT_LENGTH} || 0;
	# Apache hands a chunked body on without its length, and closes it.
	my $closed = !length($env->{CONTENT_LENGTH} // '') && $env->{HTTP_TRANSFER_ENCODING};
	$left = 65536 if $closed;
	LabApp::respond({
		method => $env->{REQUEST_METHOD},
		path   => $env->{PATH_INFO} // '',
		query  => $env->{QUERY_STRING} // '',
		fields => sub { LabApp::fields_of($env) },
		read   => sub {
			my $piece = '';
			return $piece unless $left > 0;
			my $n = read $in, $piece, $left < 65536 ? $left : 65536;
			return $piece if $closed;
			die "the body ended early\n" unless $n;
			$left -= $n;
			return $piece;
		},
		start => sub {
			my ($status, $reason, @fields) = @_;
			my $head = "Status: $status $reason\r\n";
			while (my ($name, $value) = splice @fields, 0, 2) { $head .= "$name: $value\r\n" }
			print $out "$head\r\n";
		},
		write => sub { print $out $_[0] },
		flush => sub { $out->flush },
	});
}

# Descriptor 0 of a FastCGI application is a listening socket (FastCGI 1.0
# section 2.2).
my $listens = -S STDIN && getsockopt(STDIN, SOL_SOCKET, SO_ACCEPTCONN);
if ($listens && unpack 'i', $listens) {
	require FCGI;
	my ($in, $out, $err, %env) = (IO::Handle->new, IO::Handle->new, IO::Handle->new);
	my $request = FCGI::Request($in, $out, $err, \%env, 0, FCGI::FAIL_ACCEPT_ON_INTR());
	my $leave = 0;
	$SIG{TERM} = $SIG{USR1} = sub { $leave = 1 };
	my %own = map { $_ => $ENV{$_} } grep { /^GATEWAYLAB_/ } keys %ENV;
	while (!$leave && $request->Accept >= 0) {
		$env{$_} //= $own{$_} for keys %own;
		eval { serve(\%env, $in, $out); 1 } or print {*STDERR} "labapp: $@";
		$request->Finish;
	}
} else {
	binmode STDIN;
	binmode STDOUT;
	serve(\%ENV, \*STDIN, \*STDOUT);
}
