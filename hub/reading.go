package hub

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// readings registers what is read from the hub whenever Prometheus asks.
func (m *Metrics) readings() {
	m.gauge("connections", "Sockets that are open.", func(a *api) float64 { return float64(len(a.all())) })
	m.gauge("watchers", "Rooms that sockets watch, over all sockets.", func(a *api) float64 { return float64(a.watchers()) })
	m.gauge("draining", "1 while the instance is going away.", func(a *api) float64 { return oneIf(a.Draining()) })
	m.gauge("store_up", "1 if the store answers and is ready for use.", func(a *api) float64 {
		up, _ := a.health.look(context.Background())
		return oneIf(up && !a.waiting())
	})
	m.gauge("send_queue_bytes", "Bytes that wait to be sent, over all sockets.", func(a *api) float64 {
		_, _, waiting := a.flush.traffic()
		return float64(waiting)
	})
	const bytes = "Bytes of sockets, as they are on the wire."
	m.counter("bytes_total", bytes, prometheus.Labels{"direction": "in"}, func(a *api) float64 {
		in, _, _ := a.flush.traffic()
		return float64(in)
	})
	m.counter("bytes_total", bytes, prometheus.Labels{"direction": "out"}, func(a *api) float64 {
		_, out, _ := a.flush.traffic()
		return float64(out)
	})
	m.registration.MustRegister(newInHand(m))
}

// Redis adds whether Redis answers. Where there is none there is no redis_up,
// since an alert on 0 would fire for ever and 1 would be a lie.
func (m *Metrics) Redis(up func() bool) {
	m.registration.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "redis_up", Help: "1 if Redis answers. Only where it is configured."},
		func() float64 { return oneIf(up()) }))
}

// Pool adds how many connections to the store are in use.
func (m *Metrics) Pool(inUse func() int) {
	m.registration.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "store_pool_in_use", Help: "Connections to the store that are in use."},
		func() float64 { return float64(inUse()) }))
}

func (m *Metrics) gauge(name, help string, read func(*api) float64) {
	m.registration.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, m.reading(read)))
}

func (m *Metrics) counter(name, help string, labels prometheus.Labels, read func(*api) float64) {
	m.registration.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, m.reading(read)))
}

// reading reads 0 as long as there is nothing to read from.
func (m *Metrics) reading(read func(*api) float64) func() float64 {
	return func() float64 {
		if a := m.shown.Load(); a != nil {
			return read(a)
		}
		return 0
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// watchers counts the rooms that sockets watch.
func (h *Hub) watchers() (n int) {
	for _, s := range h.all() {
		s.mu.Lock()
		n += len(s.watching)
		s.mu.Unlock()
	}
	return n
}

// inHand shows what the Registrar has in hand, all of one look. A room that
// is in use on several instances is counted on each: their largest number is
// nearer to the truth than their sum.
type inHand struct {
	metrics                           *Metrics
	rooms, members, waiting, commands *prometheus.Desc
}

func newInHand(m *Metrics) *inHand {
	describe := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &inHand{
		metrics:  m,
		rooms:    describe("rooms_open", "Rooms in use on this instance that are not closed. One in use on several instances counts on each."),
		members:  describe("members", "People who have a seat or a place in line in those rooms."),
		waiting:  describe("waiting", "Those of them who wait for a seat."),
		commands: describe("queue_commands", "Commands of this instance's people that are not answered yet."),
	}
}

// Describe is prometheus.Collector's.
func (i *inHand) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{i.rooms, i.members, i.waiting, i.commands} {
		to <- desc
	}
}

// Collect is prometheus.Collector's.
func (i *inHand) Collect(to chan<- prometheus.Metric) {
	var now room.Gauges
	if a := i.metrics.shown.Load(); a != nil {
		now = a.Registrar.Gauges()
	}
	for desc, n := range map[*prometheus.Desc]int{i.rooms: now.Rooms, i.members: now.Members, i.waiting: now.Waiting, i.commands: now.Commands} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n))
	}
}
