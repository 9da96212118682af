package hub

import (
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectern-room/lectern/room"
)

// requestTypes are the requests of the protocol; the last two come by HTTP
// alone. Anything else that a client sends counts as "unknown", so that no
// client makes up labels.
var requestTypes = [...]string{
	"open", "join", "leave", "watch", "unwatch", "update", "start", "admit", "remove", "unban", "close", "renew", "ping",
	"policy", "correct",
}

// protocolCodes are the close codes of the protocol, and 1002 and 1005, with
// which WebSockets in general end.
var protocolCodes = [...]int{
	1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, closeExpired, closeSlow, closeTooMany,
}

// passportReasons are those of room.BadPassport, and "other".
var passportReasons = [...]string{
	"missing", "too_long", "malformed", "not_encrypted", "header", "key", "algorithm", "signature", "encryption",
	"audience", "claims", "expired", "early", "other",
}

// Metrics are what an instance tells Prometheus. None has a label for a room
// or a person.
type Metrics struct {
	connections  *prometheus.CounterVec
	closes       *prometheus.CounterVec
	commands     *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	passports    *prometheus.CounterVec
	rateLimited  *prometheus.CounterVec
	frames       *prometheus.CounterVec
	httpSeconds  *prometheus.HistogramVec
	batch        prometheus.Observer
	saveSeconds  prometheus.Observer
	lockSeconds  prometheus.Observer
	busLag       prometheus.Observer
	rosterLag    prometheus.Observer
	conflicts    prometheus.Counter
	skipped      *prometheus.CounterVec
	gaps         prometheus.Counter
	resubscribed prometheus.Counter
	reaped       prometheus.Counter
	instances    prometheus.Gauge
	slow         prometheus.Counter
	paced        prometheus.Counter
	usual        map[string]usualCommand // by type; static
	unknown      usualCommand
	shown        atomic.Pointer[api] // what the gauges are read from
	registration prometheus.Registerer
}

// A usualCommand holds what is counted of a command that went well, found
// once.
type usualCommand struct {
	typ     string
	ok      prometheus.Counter
	seconds prometheus.Observer
	frames  prometheus.Counter
}

// NewMetrics makes the metrics and registers them. The registerer puts the
// prefix lectern_ before their names.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	// From a save on a fast disk to what a client is told to give up after.
	quick := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	m := &Metrics{registration: reg}
	m.connections = m.counters("connections_total", "Attempts to open a socket.", "result")
	m.closes = m.counters("closes_total", "Sockets that ended, by close code.", "code")
	m.commands = m.counters("commands_total", "Requests of sockets and HTTP calls, by what was answered.", "type", "result")
	m.passports = m.counters("passport_refusals_total", "Passports that were refused.", "reason")
	m.rateLimited = m.counters("rate_limited_total", "Requests that came too soon.", "what")
	m.frames = m.counters("frames_total", "Messages of sockets.", "direction", "type")
	m.seconds = m.histograms("command_seconds", "From a request's arrival to its answer.", quick, "type")
	m.httpSeconds = m.histograms("http_request_seconds", "From an HTTP request's arrival to its answer.", quick, "route", "status")
	m.batch = m.histograms("batch_commands", "Commands that were decided and saved as one entry.", prometheus.ExponentialBuckets(1, 2, 11)).WithLabelValues()
	m.saveSeconds = m.histograms("save_seconds", "What it took to make an entry durable, or to fail.", quick).WithLabelValues()
	m.lockSeconds = m.histograms("lock_seconds", "What it took to try for a room's lock.", quick).WithLabelValues()
	m.busLag = m.histograms("bus_lag_seconds", "From an entry's save on another instance to its application here.", quick).WithLabelValues()
	m.rosterLag = m.histograms("roster_lag_seconds", "From a change's save, on whatever instance, to the watchers' sockets; of changes told together, the first.", quick).WithLabelValues()
	m.conflicts = m.counters("save_conflicts_total", "Entries that were decided again because the room had moved on.").WithLabelValues()
	m.skipped = m.counters("lock_skipped_total", "Batches that were decided without the room's lock: away, nobody could tell who has it; held, another kept it for too long.", "reason")
	m.gaps = m.counters("bus_gaps_total", "Times that entries were missing and had to be read from the store.").WithLabelValues()
	m.resubscribed = m.counters("bus_resubscriptions_total", "Times that the bus may have lost entries, the first subscription aside.").WithLabelValues()
	m.reaped = m.counters("sessions_reaped_total", "Sessions of dead instances that ended.").WithLabelValues()
	m.instances = prometheus.NewGauge(prometheus.GaugeOpts{Name: "instances_live", Help: "Instances that live, as the store knows, this one included."})
	m.registration.MustRegister(m.instances)
	m.slow = m.counters("slow_sockets_total", "Sockets that were closed because they did not take what was sent to them.").WithLabelValues()
	m.paced = m.counters("paced_total", "Sockets and calls that were told when to come, since more came than are let in at a time.").WithLabelValues()
	m.usual = map[string]usualCommand{}
	for _, typ := range requestTypes {
		m.usual[typ] = m.usually(typ)
	}
	m.unknown = m.usually("unknown")
	m.zero()
	m.readings()
	return m
}

// zero shows what has not happened yet as 0: an alert on an increase needs
// the value before the first.
func (m *Metrics) zero() {
	for _, result := range []string{"ok", "refused", "draining", "failed", "too_many", "paced"} {
		m.connections.WithLabelValues(result)
	}
	for _, code := range protocolCodes {
		m.closes.WithLabelValues(strconv.Itoa(code))
	}
	m.closes.WithLabelValues("other")
	for _, what := range []string{"requests", "codes"} {
		m.rateLimited.WithLabelValues(what)
	}
	for _, reason := range []string{"away", "held"} {
		m.skipped.WithLabelValues(reason)
	}
	for _, reason := range passportReasons {
		m.passports.WithLabelValues(reason)
	}
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registration.MustRegister(v)
	return v
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registration.MustRegister(v)
	return v
}

func (m *Metrics) usually(typ string) usualCommand {
	return usualCommand{
		typ: typ, ok: m.commands.WithLabelValues(typ, "ok"), seconds: m.seconds.WithLabelValues(typ),
		frames: m.frames.WithLabelValues("in", typ),
	}
}

// Registrar returns what a Registrar tells these metrics.
func (m *Metrics) Registrar() *room.Metrics {
	return &room.Metrics{
		Lock: func(took time.Duration) { m.lockSeconds.Observe(took.Seconds()) },
		Save: func(took time.Duration, commands int, err error) {
			m.saveSeconds.Observe(took.Seconds())
			if err == nil {
				m.batch.Observe(float64(commands))
			}
		},
		Conflict:     m.conflicts.Inc,
		Skipped:      func(reason string) { m.skipped.WithLabelValues(reason).Inc() },
		Gap:          m.gaps.Inc,
		Resubscribed: m.resubscribed.Inc,
		Heard:        func(lag time.Duration) { m.busLag.Observe(max(0, lag.Seconds())) }, // two instances' clocks
		Reaped:       func(sessions int) { m.reaped.Add(float64(sessions)) },
		Instances:    func(living int) { m.instances.Set(float64(living)) },
	}
}

// toldRoster counts what watchers have been told of, saved so long ago.
func (m *Metrics) toldRoster(lag time.Duration) { m.rosterLag.Observe(max(0, lag.Seconds())) }

// connection counts an attempt to open a socket.
func (m *Metrics) connection(result string) { m.connections.WithLabelValues(result).Inc() }

// closed counts a socket that has ended. A client may close with any code:
// those that the protocol does not know are "other".
func (m *Metrics) closed(c *conn) {
	code, _ := c.ended()
	label := "other"
	if slices.Contains(protocolCodes[:], code) {
		label = strconv.Itoa(code)
	}
	m.closes.WithLabelValues(label).Inc()
	if c.endedSlow() {
		m.slow.Inc()
	}
}

// command counts a socket's request that has been answered.
func (m *Metrics) command(typ string, began time.Time, err error) {
	m.usualOf(typ).frames.Inc()
	m.called(typ, began, err)
}

// called counts a request that came by HTTP.
func (m *Metrics) called(typ string, began time.Time, err error) {
	u := m.usualOf(typ)
	u.seconds.Observe(time.Since(began).Seconds())
	if err == nil {
		u.ok.Inc()
		return
	}
	code := room.CodeInternal
	var refusal *room.Refusal
	if errors.As(err, &refusal) {
		code = refusal.Code
	}
	m.commands.WithLabelValues(u.typ, string(code)).Inc()
}

func (m *Metrics) usualOf(typ string) usualCommand {
	if u, ok := m.usual[typ]; ok {
		return u
	}
	return m.unknown
}

// sent counts what was said to sockets.
func (m *Metrics) sent(typ string, sockets int) {
	m.frames.WithLabelValues("out", typ).Add(float64(sockets))
}

// limited counts a request that came too soon.
func (m *Metrics) limited(what string) { m.rateLimited.WithLabelValues(what).Inc() }

// refusedPassport counts a bad passport.
func (m *Metrics) refusedPassport(err error) {
	reason := "other"
	var bad *room.BadPassport
	if errors.As(err, &bad) {
		reason = bad.Reason
	}
	m.passports.WithLabelValues(reason).Inc()
}

// answered counts an HTTP request.
func (m *Metrics) answered(route string, status int, began time.Time) {
	m.httpSeconds.WithLabelValues(route, strconv.Itoa(status)).Observe(time.Since(began).Seconds())
}
