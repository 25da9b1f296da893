# Stands in for systemd's end of $NOTIFY_SOCKET: prints each datagram as a line, its parts joined by tabs.
use IO::Socket::UNIX;
use Socket;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => shift) or die "$!\n";
$| = 1;
print "listening\n";
# file descriptors that came with a datagram are closed by reading it without: that is what a barrier waits for
while (defined $socket->recv(my $text, 65536)) { $text =~ s/\n+$//; print join("\t", split /\n/, $text), "\n"; }
