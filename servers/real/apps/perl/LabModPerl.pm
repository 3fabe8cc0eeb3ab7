# The application inside Apache (mod_perl 2): called with the request, with no
# gateway protocol in between.
package LabModPerl;

use strict;
use warnings;
use APR::Table           ();
use Apache2::Const -compile => qw(OK);
use Apache2::RequestIO   ();
use Apache2::RequestRec  ();
use Apache2::Response    ();
use LabApp               ();

sub handler {
	my ($r) = @_;
	LabApp::respond({
		method => $r->method,
		path   => $r->uri,
		query  => $r->args // '',
		fields => sub {
			my @fields;
			$r->headers_in->do(sub { push @fields, [@_]; 1 });
			return @fields;
		},
		read => sub {
			my $piece = '';
			$r->read($piece, 65536);
			return $piece;
		},
		start => sub {
			my ($status, $reason, @fields) = @_;
			$r->status($status);
			while (my ($name, $value) = splice @fields, 0, 2) {
				if    ($name eq 'Content-Type')   { $r->content_type($value) }
				elsif ($name eq 'Content-Length') { $r->set_content_length($value) }
				elsif ($status == 200)            { $r->headers_out->set($name, $value) }
				else                              { $r->err_headers_out->set($name, $value) }
			}
			$r->rflush if $r->method eq 'HEAD';
		},
		write => sub { $r->print($_[0]) },
		flush => sub { $r->rflush },
	});
	return Apache2::Const::OK;
}

1;
