package room_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A lecture of an hour, from attendanceStart on, and who sat in it.
func lecture(p room.Policy, spans ...[2]float64) *room.History {
	return &room.History{
		Room:   room.Header{Status: room.Closed, OpenedAt: second(0), ClosedAt: second(3600), Policy: p},
		People: []*room.Person{{User: "ann", State: room.Seated, Seat: 1, LastSeat: 1, FirstJoinedAt: second(1)}},
		Stays:  stays("ann", spans),
	}
}

func statusOf(h *room.History, now float64) room.AttendanceStatus {
	status := h.Record(second(now)).People[0].Status
	if status == nil {
		return ""
	}
	return *status
}

func TestPolicy(t *testing.T) {
	n := func(n int) *int { return &n }
	percent := func(p int) room.Policy { return room.Policy{PresentPercent: n(p)} }
	minutes := func(m int) room.Policy { return room.Policy{PresentMinutes: n(m)} }
	late := func(m int) room.Policy { return room.Policy{LateAfterMinutes: n(m)} }
	early := func(m int) room.Policy { return room.Policy{LeftEarlyMinutes: n(m)} }
	both := room.Policy{PresentPercent: n(80), PresentMinutes: n(10)}
	whole := room.Policy{PresentPercent: n(50), LateAfterMinutes: n(10), LeftEarlyMinutes: n(5)}

	for name, row := range map[string]struct {
		policy room.Policy
		stays  [][2]float64
		want   room.AttendanceStatus
	}{
		"no policy": {room.Policy{}, [][2]float64{{1, 3600}}, ""},

		"exactly 80 %":                           {percent(80), [][2]float64{{720, 3600}}, room.StatusPresent},
		"a second less than 80 %":                {percent(80), [][2]float64{{721, 3600}}, room.StatusAbsent},
		"80 % in whole seconds":                  {percent(80), [][2]float64{{720.4, 3600}}, room.StatusPresent},
		"less than 80 % in whole seconds":        {percent(80), [][2]float64{{720.6, 3600}}, room.StatusAbsent},
		"80 % in pieces":                         {percent(80), [][2]float64{{0.5, 1000}, {1500, 2000}, {2000, 3381}}, room.StatusPresent},
		"in two tabs at once is there once":      {percent(80), [][2]float64{{0.5, 1440}, {0.5, 1440}}, room.StatusAbsent},
		"100 %, there all the time":              {percent(100), [][2]float64{{0.1, 3600}}, room.StatusPresent},
		"0 %, with a seat":                       {percent(0), nil, room.StatusPresent},
		"exactly 48 minutes":                     {minutes(48), [][2]float64{{1, 2881}}, room.StatusPresent},
		"a second less than 48 minutes":          {minutes(48), [][2]float64{{1, 2880}}, room.StatusAbsent},
		"the minutes will do":                    {both, [][2]float64{{1, 601}}, room.StatusPresent},
		"neither the percentage nor the minutes": {both, [][2]float64{{1, 600}}, room.StatusAbsent},
		"the percentage will do":                 {room.Policy{PresentPercent: n(10), PresentMinutes: n(50)}, [][2]float64{{1, 361}}, room.StatusPresent},

		"any presence counts where no rule says how long": {late(10), [][2]float64{{1, 2}}, room.StatusPresent},
		"none does not":               {late(10), nil, room.StatusAbsent},
		"exactly 10 minutes late":     {late(10), [][2]float64{{600, 3600}}, room.StatusPresent},
		"more than 10 minutes late":   {late(10), [][2]float64{{600.001, 3600}}, room.StatusLate},
		"late after 0 minutes":        {late(0), [][2]float64{{0.001, 3600}}, room.StatusLate},
		"in time, and again later":    {late(10), [][2]float64{{60, 120}, {1800, 3600}}, room.StatusPresent},
		"exactly 5 minutes early":     {early(5), [][2]float64{{1, 3300}}, room.StatusPresent},
		"more than 5 minutes early":   {early(5), [][2]float64{{1, 3299.999}}, room.StatusLeftEarly},
		"gone, and back to the end":   {early(5), [][2]float64{{1, 60}, {3599, 3600}}, room.StatusPresent},
		"late and gone early":         {whole, [][2]float64{{700, 3000}}, room.StatusLate},
		"late, and too short":         {whole, [][2]float64{{2700, 3600}}, room.StatusAbsent},
		"gone early, and too short":   {whole, [][2]float64{{1, 1000}}, room.StatusAbsent},
		"gone early, and long enough": {whole, [][2]float64{{1, 3000}}, room.StatusLeftEarly},
	} {
		t.Run(name, func(t *testing.T) {
			if got := statusOf(lecture(row.policy, row.stays...), 9000); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestPolicyWhileOpen: as long as the room is open the time up to now counts,
// and nobody has gone early.
func TestPolicyWhileOpen(t *testing.T) {
	half, five := 50, 5
	h := lecture(room.Policy{PresentPercent: &half, LeftEarlyMinutes: &five}, [2]float64{600, 0})
	h.Room.Status, h.Room.ClosedAt = room.Open, time.Time{}
	for now, want := range map[float64]room.AttendanceStatus{
		601: room.StatusAbsent, 1198: room.StatusAbsent, 1200: room.StatusPresent, 3000: room.StatusPresent,
	} {
		if got := statusOf(h, now); got != want {
			t.Errorf("after %v s: %q, want %q", now, got, want)
		}
	}
	h.Stays = stays("ann", [][2]float64{{100, 1000}})
	for now, want := range map[float64]room.AttendanceStatus{1800: room.StatusPresent, 1802: room.StatusAbsent} {
		if got := statusOf(h, now); got != want {
			t.Errorf("gone since 1000 s, after %v s: %q, want %q", now, got, want)
		}
	}
}

// TestPolicyOfNoTime: in a room that closed as it opened, everyone with a seat
// was there for all of no time.
func TestPolicyOfNoTime(t *testing.T) {
	all := 100
	h := lecture(room.Policy{PresentPercent: &all}, [2]float64{0.0001, 0.0001})
	h.Room.ClosedAt = h.Room.OpenedAt
	if got := statusOf(h, 0); got != room.StatusPresent {
		t.Errorf("got %q", got)
	}
	h.People[0].LastSeat = 0
	if got := statusOf(h, 0); got != room.StatusAbsent {
		t.Errorf("without a seat: %q", got)
	}
}

// TestCorrection: a status set by hand goes before the policy's, and is there
// without one.
func TestCorrection(t *testing.T) {
	half := 50
	h := lecture(room.Policy{PresentPercent: &half})
	h.People[0].Correction = &room.Correction{Status: room.StatusLate, Reason: "the bus", By: "t1", At: second(4000)}
	for range 2 {
		if got := statusOf(h, 9000); got != room.StatusLate {
			t.Errorf("got %q", got)
		}
		h.Room.Policy = room.Policy{}
	}
	sameJSON(t, h.Record(second(9000)).People[0].Correction,
		`{"status":"late","reason":"the bus","by":"t1","at":"2026-03-02T10:06:40.000Z"}`)
}

func TestCheckPolicy(t *testing.T) {
	for _, row := range []struct {
		field string
		n     int
		set   func(*room.Policy, *int)
		most  int
	}{
		{"present_percent", 100, func(p *room.Policy, n *int) { p.PresentPercent = n }, 100},
		{"present_minutes", 10_080, func(p *room.Policy, n *int) { p.PresentMinutes = n }, 10_080},
		{"late_after_minutes", 10_080, func(p *room.Policy, n *int) { p.LateAfterMinutes = n }, 10_080},
		{"left_early_minutes", 10_080, func(p *room.Policy, n *int) { p.LeftEarlyMinutes = n }, 10_080},
	} {
		for _, n := range []int{0, 1, row.most, -1, row.most + 1, math.MinInt, math.MaxInt} {
			var p room.Policy
			row.set(&p, &n)
			err := p.Check()
			var refusal *room.Refusal
			switch good := n >= 0 && n <= row.most; {
			case good && err != nil:
				t.Errorf("%s %d: %v", row.field, n, err)
			case !good && (!errors.As(err, &refusal) || refusal.Field != row.field || !strings.Contains(refusal.Message, "0 to")):
				t.Errorf("%s %d: %v", row.field, n, err)
			}
		}
	}
	if err := (room.Policy{}).Check(); err != nil {
		t.Errorf("no rule: %v", err)
	}
}

func TestPoliciesAreEqual(t *testing.T) {
	one, also, two := 1, 1, 2
	p := room.Policy{PresentMinutes: &one}
	for name, row := range map[string]struct {
		q    room.Policy
		want bool
	}{
		"the same":       {room.Policy{PresentMinutes: &also}, true},
		"another number": {room.Policy{PresentMinutes: &two}, false},
		"another rule":   {room.Policy{PresentPercent: &also}, false},
		"one more":       {room.Policy{PresentMinutes: &also, LeftEarlyMinutes: &one}, false},
		"none":           {room.Policy{}, false},
	} {
		if p.Equal(row.q) != row.want || row.q.Equal(p) != row.want {
			t.Errorf("%s: equal is not %t", name, row.want)
		}
	}
}
