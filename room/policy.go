package room

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"
)

// An AttendanceStatus is what a person's attendance amounts to.
type AttendanceStatus string

// What attendance amounts to. Who is both late and gone early is late.
const (
	StatusPresent   AttendanceStatus = "present"
	StatusLate      AttendanceStatus = "late"
	StatusLeftEarly AttendanceStatus = "left_early"
	StatusAbsent    AttendanceStatus = "absent"
)

// A Policy is an instructor's rule for who counts as present. Nil: that rule
// is not set. The zero Policy is none.
type Policy struct {
	// Present is who was there for so much of the time that the room was
	// open, or for so many minutes: either will do.
	PresentPercent *int `json:"present_percent"`
	PresentMinutes *int `json:"present_minutes"`
	// Late is who came more than so many minutes after the room opened.
	LateAfterMinutes *int `json:"late_after_minutes"`
	// Gone early is who went for good more than so many minutes before it closed.
	LeftEarlyMinutes *int `json:"left_early_minutes"`
}

// A Correction is a status set by hand, over what the policy says.
type Correction struct {
	Status AttendanceStatus `json:"status" enum:"present,late,left_early,absent"`
	Reason string           `json:"reason"`
	By     UserID           `json:"by"`
	At     time.Time        `json:"at"`
}

// MarshalJSON is json.Marshaler's: the time is spelled as the protocol does.
func (c Correction) MarshalJSON() ([]byte, error) {
	type plain Correction
	return json.Marshal(struct {
		plain
		At Timestamp `json:"at"`
	}{plain(c), Timestamp{c.At}})
}

// Check refuses rules out of range; its errors are Refusals that name the
// field.
func (p Policy) Check() error {
	return cmp.Or(
		checkRule("present_percent", p.PresentPercent, 100),
		checkRule("present_minutes", p.PresentMinutes, MaxMinutes),
		checkRule("late_after_minutes", p.LateAfterMinutes, MaxMinutes),
		checkRule("left_early_minutes", p.LeftEarlyMinutes, MaxMinutes),
	)
}

func checkRule(field string, n *int, most int) error {
	if n == nil || *n >= 0 && *n <= most {
		return nil
	}
	return BadField(field, "0 to "+itoa(most)+", or null, not "+strconv.Itoa(*n))
}

// Equal tells whether two policies have the same rules.
func (p Policy) Equal(q Policy) bool {
	same := func(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
	return same(p.PresentPercent, q.PresentPercent) && same(p.PresentMinutes, q.PresentMinutes) &&
		same(p.LateAfterMinutes, q.LateAfterMinutes) && same(p.LeftEarlyMinutes, q.LeftEarlyMinutes)
}

// judge returns what a person's attendance amounts to under the room's
// policy, nil if it has none.
func (h *Header) judge(a *Attendance, now time.Time) *AttendanceStatus {
	if h.Policy == (Policy{}) {
		return nil
	}
	status := StatusPresent
	switch {
	case a.Seat == nil || !h.reached(a, now):
		status = StatusAbsent
	case h.late(a):
		status = StatusLate
	case h.leftEarly(a):
		status = StatusLeftEarly
	}
	return &status
}

// reached tells whether someone was there for as long as it takes to be
// present, in whole seconds, as the record shows them.
func (h *Header) reached(a *Attendance, now time.Time) bool {
	percent, minutes := h.Policy.PresentPercent, h.Policy.PresentMinutes
	if percent == nil && minutes == nil {
		return len(a.Intervals) > 0
	}
	end := now
	if h.Status == Closed {
		end = h.ClosedAt
	}
	return minutes != nil && a.PresentSeconds >= *minutes*60 ||
		percent != nil && a.PresentSeconds*100 >= *percent*wholeSeconds(max(0, end.Sub(h.OpenedAt)))
}

func wholeSeconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

func (h *Header) late(a *Attendance) bool {
	after := h.Policy.LateAfterMinutes
	return after != nil && len(a.Intervals) > 0 && a.Intervals[0].From.Sub(h.OpenedAt) > minutesOf(*after)
}

func (h *Header) leftEarly(a *Attendance) bool {
	before, n := h.Policy.LeftEarlyMinutes, len(a.Intervals)
	return before != nil && n > 0 && h.Status == Closed && h.ClosedAt.Sub(a.Intervals[n-1].To.Time) > minutesOf(*before)
}

func minutesOf(n int) time.Duration { return time.Duration(n) * time.Minute }
