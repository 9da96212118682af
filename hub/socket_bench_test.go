package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A descriptor is the client's end of a connection that costs this process
// nothing but a descriptor.
type descriptor int

func (n *line) descriptor() descriptor {
	addr := n.addr.(*net.TCPAddr)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())})
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return descriptor(fd)
}

// ask sends a request and reads until the answer ends in end.
func (d descriptor) ask(t testing.TB, request []byte, end string) {
	var answer [1024]byte
	got := 0
	_, err := syscall.Write(int(d), request)
	for err == nil && !bytes.HasSuffix(answer[:got], []byte(end)) {
		var k int
		k, err = syscall.Read(int(d), answer[got:])
		got += k
		if k == 0 {
			err = errors.New("closed")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// drain throws away what has come.
func (d descriptor) drain(b []byte) {
	for n := len(b); n == len(b); {
		n, _, _ = syscall.Recvfrom(int(d), b, syscall.MSG_DONTWAIT)
	}
}

// crowd connects count sockets that have joined, so to speak: each has sent
// one request, which was parsed and answered.
func (n *line) crowd(count int) (clients []descriptor, conns []*conn, disperse func()) {
	var serving sync.WaitGroup
	passport := "Sec-WebSocket-Protocol: lectern.v1, passport." + strings.Repeat("x", 600) + "\r\n\r\n"
	join := masked(0x81, []byte(`{"id":1,"type":"join","code":"K7QF3MXD"}`))
	for range count {
		d := n.descriptor()
		d.ask(n.t, []byte(handshakeRequest+passport), "\r\n\r\n")
		c := <-n.conns
		serving.Go(func() {
			c.serve(func(b []byte) {
				var request map[string]any
				if err := json.Unmarshal(b, &request); err != nil {
					n.t.Error(err)
				}
				c.offer(textFrame(fmt.Appendf(nil, `{"id":%v,"type":"joined","seat":1}`, request["id"])), true)
			})
		})
		d.ask(n.t, join, "}")
		clients, conns = append(clients, d), append(conns, c)
	}
	return clients, conns, func() {
		for _, d := range clients {
			syscall.Close(int(d))
		}
		serving.Wait()
	}
}

func residentBytes(t testing.TB) float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc on this machine")
	}
	var size, resident float64
	fmt.Sscan(string(b), &size, &resident)
	return resident * float64(os.Getpagesize())
}

// BenchmarkIdleSocket reports what a joined socket that does nothing costs in
// memory: live heap and stacks after a collection, and what the process has
// grown by. A socket needs two descriptors here.
func BenchmarkIdleSocket(b *testing.B) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	count := min(10000, (int(limit.Cur)-200)/2)
	measure := func() (heap, stacks, resident float64) {
		runtime.GC()
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(s)
		return float64(s[0].Value.Uint64()), float64(s[1].Value.Uint64()), residentBytes(b)
	}
	for b.Loop() {
		n := loopback(b)
		heap, stacks, resident := measure()
		_, conns, disperse := n.crowd(count)
		heap1, stacks1, resident1 := measure()
		per := float64(count)
		b.ReportMetric((heap1-heap)/per, "heap-B/socket")
		b.ReportMetric((stacks1-stacks)/per, "stack-B/socket")
		b.ReportMetric((resident1-resident)/per, "rss-B/socket")
		b.ReportMetric(per, "sockets")
		runtime.KeepAlive(conns)
		disperse()
		n.stop()
	}
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkFanout reports what it costs to hand a frame to 1,000 sockets until
// the kernel has it: beside bare writes of the same frame, and for 16 frames
// that wait together.
func BenchmarkFanout(b *testing.B) {
	const sockets = 1000
	n := loopback(b)
	clients, conns, disperse := n.crowd(sockets)
	defer disperse()
	frame := textFrame(bytes.Repeat([]byte("x"), 200))
	scratch := make([]byte, 64<<10)
	measure := func(name string, perSocket int, deliver func()) {
		b.Run(name, func(b *testing.B) {
			var spent, busy time.Duration
			for b.Loop() {
				from, cpu := time.Now(), cpuTime()
				deliver()
				spent += time.Since(from)
				busy += cpuTime() - cpu
				for _, d := range clients {
					d.drain(scratch)
				}
			}
			deliveries := float64(b.N * sockets * perSocket)
			b.ReportMetric(float64(spent.Nanoseconds())/deliveries, "ns/delivery")
			b.ReportMetric(float64(busy.Nanoseconds())/deliveries, "cpu-ns/delivery")
			b.ReportMetric(0, "ns/op") // the draining is in it
		})
	}
	flushed := func() {
		for _, _, waiting := n.f.traffic(); waiting > 0; _, _, waiting = n.f.traffic() {
			time.Sleep(20 * time.Microsecond)
		}
	}
	measure("bare", 1, func() {
		for _, c := range conns {
			c.nc.Write(frame)
		}
	})
	measure("offer", 1, func() {
		for _, c := range conns {
			c.offer(frame, true)
		}
		flushed()
	})
	measure("backlog", 16, func() {
		for _, c := range conns {
			for range 16 {
				c.offer(frame, true)
			}
		}
		flushed()
	})
}

// BenchmarkSpread reports what it costs to hand one frame to 1,000 sockets and
// to take it up again for each, all that fan-out does beside the writes.
func BenchmarkSpread(b *testing.B) {
	const people = 1000
	f := newFlusher()
	h := &hall{hub: &Hub{Config: Config{Metrics: NewMetrics(prometheus.NewRegistry())}}}
	sockets := map[*socket]bool{}
	for range people {
		sockets[&socket{conn: &conn{f: f}}] = true
	}
	frame := textFrame(bytes.Repeat([]byte("x"), 200))
	batch := make([]outgoing, 0, 1)
	for b.Loop() {
		h.spread("count", sockets, frame)
		for range people {
			c, _ := f.next(b.Context())
			for batch = c.take(batch[:0]); len(batch) > 0; batch = c.take(batch[:0]) {
				c.wrote(batch, len(frame))
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*people), "ns/delivery")
}
