// Command link joins two network namespaces that it makes by a path as long as asked for. The kernel's own means for
// that, netem, is missing from many kernels, so a TUN device in each namespace hands its packets to this program.
//
// It prints the path of each namespace for nsenter(1), a line for the client's and one for the server's, and ends with
// its standard input. Neither has a name: the kernel removes them with the last process that is in one.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Room for an IPv4 packet of any MTU.
	maxPacketBytes = 64 * 1024
	// Packets under way in one direction. Further ones are lost, as at a router that is full.
	maxPackets = 20_000
	// The longest queue in front of a link with a rate.
	maxWait = 100 * time.Millisecond
	// Packets that wait in the kernel for this program: Linux's 500 are fewer than TCP sends at once.
	deviceQueuePackets = 20_000
	device             = "wan0"
)

func main() {
	delay := flag.Duration("delay", 25*time.Millisecond, "how long a packet is under way, in each direction")
	mbit := flag.Float64("mbit", 0, "the rate of each direction in Mbit/s; 0 means no bound")
	client := flag.String("client", "", "the client's IPv4 address, in a network of 4")
	server := flag.String("server", "", "the server's IPv4 address in it")
	flag.Parse()

	clientEnd, clientSpace := openNamespace(*client)
	serverEnd, serverSpace := openNamespace(*server)
	go forward(clientEnd, serverEnd, *delay, *mbit)
	go forward(serverEnd, clientEnd, *delay, *mbit)
	for _, fd := range []int{clientSpace, serverSpace} {
		fmt.Printf("/proc/%d/fd/%d\n", os.Getpid(), fd)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatal(err)
	}
}

// openNamespace makes a namespace with a TUN device, and returns the device and a descriptor of the namespace.
func openNamespace(address string) (tun *os.File, space int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// A namespace belongs to a thread. It is not unlocked, so it ends with the goroutine.
		runtime.LockOSThread()
		must("a network namespace", unix.Unshare(unix.CLONE_NEWNET))
		var err error
		space, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		must("a network namespace", err)
		tun, err = openTun(address)
		must("a TUN device", err)
	}()
	<-done
	return tun, space
}

func openTun(address string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	kind, err := unix.NewIfreq(device)
	if err != nil {
		return nil, err
	}
	kind.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, kind); err != nil {
		return nil, err
	}
	if err := setUp(address); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), device), nil
}

// setUp gives the device its address, and starts it (netdevice(7)).
func setUp(address string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	set := func(what uint, value func(*unix.Ifreq) error) error {
		request, err := unix.NewIfreq(device)
		if err != nil {
			return err
		}
		if err := value(request); err != nil {
			return err
		}
		return unix.IoctlIfreq(socket, what, request)
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	steps := []struct {
		what  uint
		value func(*unix.Ifreq) error
	}{
		{unix.SIOCSIFADDR, func(it *unix.Ifreq) error { return it.SetInet4Addr(ip.AsSlice()) }},
		{unix.SIOCSIFNETMASK, func(it *unix.Ifreq) error { return it.SetInet4Addr([]byte{255, 255, 255, 252}) }},
		{unix.SIOCSIFTXQLEN, func(it *unix.Ifreq) error { it.SetUint32(deviceQueuePackets); return nil }},
		{unix.SIOCSIFFLAGS, func(it *unix.Ifreq) error { it.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	}
	for _, step := range steps {
		if err := set(step.what, step.value); err != nil {
			return err
		}
	}
	return nil
}

type packet struct {
	bytes []byte
	due   time.Time
}

// forward passes packets on for as long as the program lives.
func forward(from, to *os.File, delay time.Duration, mbit float64) {
	underWay := make(chan packet, maxPackets)
	go func() {
		for it := range underWay {
			time.Sleep(time.Until(it.due))
			_, err := to.Write(it.bytes)
			must("write a packet", err)
		}
	}()
	buffer := make([]byte, maxPacketBytes)
	var sent time.Time // when the last packet is on the line, if there is a rate
	for {
		length, err := from.Read(buffer)
		must("read a packet", err)
		now := time.Now()
		if sent.Before(now) {
			sent = now
		}
		if mbit > 0 {
			if sent.Sub(now) > maxWait {
				continue
			}
			sent = sent.Add(time.Duration(float64(length) * 8_000 / mbit))
		}
		select {
		case underWay <- packet{append([]byte(nil), buffer[:length]...), sent.Add(delay)}:
		default:
		}
	}
}

func must(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}
