# Stands in for systemd's end of $NOTIFY_SOCKET: prints each datagram as a line, its parts joined by tabs. Ends with whoever
# started it, when its standard input does.
use IO::Select;
use IO::Socket::UNIX;
use Socket;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => shift) or die "$!\n";
$| = 1;
print "listening\n";
my $select = IO::Select->new($socket, \*STDIN);
for (;;) {
  my @ready = $select->can_read;
  # file descriptors that came with a datagram are closed by reading it without: that is what a barrier waits for
  if (grep { $_ == $socket } @ready) {
    defined $socket->recv(my $text, 65536) or exit;
    $text =~ s/\n+$//;
    print join("\t", split /\n/, $text), "\n";
  }
  exit if grep { $_ != $socket } @ready;
}
