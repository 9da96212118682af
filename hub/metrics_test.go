package hub

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/lectern-room/lectern/room"
)

// samples returns every sample as "name{label=value,…}" and its value; of a
// histogram, the number of observations.
func samples(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = valueOf(m)
		}
	}
	return values
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return float64(m.Histogram.GetSampleCount())
}

func TestMetricsOfCalls(t *testing.T) {
	s := newSchool(t)
	path, code, _ := s.open(`{"title":"Algebra","capacity":1}`)
	s.must(http.StatusCreated, "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s1"))
	s.refused("room_full", "", "POST", "/v1/attend", `{"code":"`+code+`"}`, s.student("s2"))
	s.must(http.StatusOK, "DELETE", path+"/members/s1", "", s.student("s1"))
	s.refused("unauthorized", "", "GET", "/v1/me", "", nil)
	s.refused("unauthorized", "", "GET", "/v1/me", "", http.Header{"Authorization": {"Bearer a.b.c"}})
	s.refused("not_found", "", "GET", "/v1/made/up", "", s.teacher())

	got := samples(t, s.metrics)
	for name, want := range map[string]float64{
		"commands_total{result=ok,type=open}":                                         1,
		"commands_total{result=ok,type=join}":                                         1,
		"commands_total{result=room_full,type=join}":                                  1,
		"commands_total{result=ok,type=leave}":                                        1,
		"command_seconds{type=join}":                                                  2,
		"frames_total{direction=in,type=join}":                                        0,
		"passport_refusals_total{reason=missing}":                                     1,
		"http_request_seconds{route=POST /v1/attend,status=201}":                      1,
		"http_request_seconds{route=POST /v1/attend,status=409}":                      1,
		"http_request_seconds{route=none,status=404}":                                 1,
		"http_request_seconds{route=DELETE /v1/rooms/{id}/members/{user},status=200}": 1,
		"batch_commands{}":                                                            4,
		"save_seconds{}":                                                              4,
		"save_conflicts_total{}":                                                      0,
		"connections{}":                                                               0,
		"watchers{}":                                                                  0,
		"draining{}":                                                                  0,
		"store_up{}":                                                                  1,
		"send_queue_bytes{}":                                                          0,
		"slow_sockets_total{}":                                                        0,
		"connections_total{result=too_many}":                                          0,
		"closes_total{code=4002}":                                                     0,
		"rate_limited_total{what=codes}":                                              0,
		"bytes_total{direction=in}":                                                   0,
		"bytes_total{direction=out}":                                                  0,
		"rooms_open{}":                                                                1,
		"members{}":                                                                   0,
		"waiting{}":                                                                   0,
		"queue_commands{}":                                                            0,
		"lock_skipped_total{reason=away}":                                             0,
		"lock_skipped_total{reason=held}":                                             0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, want)
		}
	}
	if got["lock_seconds{}"] == 0 { // how often depends on how the commands meet
		t.Error("no try for a lock")
	}
	for name := range got {
		if strings.Contains(name, code) || strings.Contains(name, "made") || strings.Contains(name, "s1") {
			t.Errorf("a label of a client's making: %s", name)
		}
	}
}

func TestMetricsOfSockets(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	m.connection("ok")
	m.command("join", time.Now(), nil)
	m.command("join", time.Now(), fmt.Errorf("wrapped: %w", room.ErrFull))
	m.command("join", time.Now(), errors.New("a fault"))
	m.command("drop table", time.Now(), room.BadField("type", ""))
	m.limited("requests")
	m.sent("roster", 40)
	m.refusedPassport(&room.BadPassport{Reason: "expired"})
	m.refusedPassport(errors.New("something else"))
	for _, code := range []int{1001, 4002, 4999} {
		c := &conn{ending: &ending{code: code}, slow: true}
		m.closed(c)
	}
	got := samples(t, reg)
	for name, want := range map[string]float64{
		"connections_total{result=ok}":                    1,
		"commands_total{result=ok,type=join}":             1,
		"commands_total{result=room_full,type=join}":      1,
		"commands_total{result=internal,type=join}":       1,
		"commands_total{result=bad_request,type=unknown}": 1,
		"command_seconds{type=join}":                      3,
		"frames_total{direction=in,type=join}":            3,
		"frames_total{direction=in,type=unknown}":         1,
		"frames_total{direction=out,type=roster}":         40,
		"rate_limited_total{what=requests}":               1,
		"passport_refusals_total{reason=expired}":         1,
		"passport_refusals_total{reason=other}":           1,
		"closes_total{code=1001}":                         1,
		"closes_total{code=4002}":                         1,
		"closes_total{code=other}":                        1,
		"slow_sockets_total{}":                            1,
		"connections{}":                                   0, // there is no hub yet
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, want)
		}
	}
}

// TestSlowSocketsAreCounted: slow is whom this side closed for it, not whoever
// gives that code for reasons of its own.
func TestSlowSocketsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		m := NewMetrics(reg)
		n := pipes(t)
		full, stuck, leaves := n.connect().listen(), n.connect().listen(), n.connect().listen()
		synctest.Wait() // until the handshakes wait no more
		stuck.c.offer(textFrame(make([]byte, 100)), true)
		for range 2 {
			full.c.offer(textFrame(make([]byte, maxWaiting)), false)
		}
		full.expectClose(closeSlow)
		leaves.write(closing(closeSlow, "slow consumer"))
		leaves.expectClose(closeSlow)
		for _, p := range []*peer{full, stuck, leaves} {
			p.ended(closeSlow)
			m.closed(p.c)
		}
		got := samples(t, reg)
		if got["slow_sockets_total{}"] != 2 || got["closes_total{code=4002}"] != 3 {
			t.Errorf("%v slow sockets, %v closes with 4002, want 2 and 3", got["slow_sockets_total{}"], got["closes_total{code=4002}"])
		}
	})
}

// TestPassportReasons: why passports are refused is all shown before it
// happens, as room has it.
func TestPassportReasons(t *testing.T) {
	reasons := map[string]bool{"other": true}
	for _, file := range []string{"../room/keyring.go", "../room/passport.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`bad\("(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			reasons[found[1]] = true
		}
	}
	for _, reason := range passportReasons {
		if !reasons[reason] {
			t.Errorf("no passport is refused for %q", reason)
		}
		delete(reasons, reason)
	}
	if len(reasons) > 0 {
		t.Errorf("not shown before they happen: %v", reasons)
	}
}

// What a Registrar tells is shown, and of what is not there nothing.
func TestMetricsOfInstances(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	told := m.Registrar()
	told.Skipped("away")
	told.Skipped("held")
	told.Skipped("held")
	told.Gap()
	told.Resubscribed()
	told.Heard(time.Millisecond)
	told.Reaped(40)
	told.Instances(3)
	m.toldRoster(time.Millisecond)
	got := samples(t, reg)
	if _, ok := got["redis_up{}"]; ok {
		t.Error("redis_up of no Redis")
	}
	m.Redis(func() bool { return true })
	m.Pool(func() int { return 5 })
	got = samples(t, reg)
	for name, want := range map[string]float64{
		"lock_skipped_total{reason=away}": 1,
		"lock_skipped_total{reason=held}": 2,
		"bus_gaps_total{}":                1,
		"bus_resubscriptions_total{}":     1,
		"bus_lag_seconds{}":               1,
		"roster_lag_seconds{}":            1,
		"sessions_reaped_total{}":         40,
		"instances_live{}":                3,
		"redis_up{}":                      1,
		"store_pool_in_use{}":             5,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, ok, want)
		}
	}
}

func BenchmarkMetricsCommand(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry())
	began := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		m.command("join", began, nil)
	}
}
