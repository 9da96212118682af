package room

import (
	"reflect"
	"testing"
	"time"
)

func policy(late int) Command {
	return Command{Type: CommandPolicy, By: kim, Policy: &Policy{LateAfterMinutes: &late}}
}

func correct(u UserID, s AttendanceStatus, why string) Command {
	return Command{Type: CommandCorrect, By: kim, User: u, Status: s, Reason: why}
}

func corrected(u UserID, s AttendanceStatus, why string) Event {
	return Event{Type: EventCorrected, User: u, Status: s, Why: why, By: "kim"}
}

// The record is set right by the room's instructor alone, also when the room
// is closed.
func TestCorrections(t *testing.T) {
	none := Command{Type: CommandPolicy, By: kim, Policy: &Policy{}}
	ill := correct("ann", StatusPresent, "was ill")
	closed := func() *Room { return after(roomOf(2, "ann"), byKim(CommandClose)) }
	set := func(c Command) []Event { return []Event{{Type: EventPolicy, Policy: c.Policy}} }
	for name, v := range map[string]verdict{
		"policy":            {room: roomOf(2), does: policy(5), events: set(policy(5))},
		"policy, scheduled": {room: scheduled(time.Hour), does: policy(5), events: set(policy(5))},
		"policy, closed":    {room: closed(), does: policy(5), events: set(policy(5))},
		"policy, as it is":  {room: after(closed(), policy(5)), does: policy(5)},
		"policy, another":   {room: after(closed(), policy(5)), does: policy(0), events: set(policy(0))},
		"policy, none":      {room: after(closed(), policy(5)), does: none, events: set(none)},
		"policy, none yet":  {room: closed(), does: none},

		"correct":                {room: roomOf(2, "ann"), does: ill, events: []Event{corrected("ann", StatusPresent, "was ill")}},
		"correct, closed":        {room: closed(), does: ill, events: []Event{corrected("ann", StatusPresent, "was ill")}},
		"correct, waiting":       {room: roomWith(OptionsEdit{Waitlist: new(true)}, 1, "ben", "ann"), does: ill, events: []Event{corrected("ann", StatusPresent, "was ill")}},
		"correct, left":          {room: after(roomOf(2, "ann"), leave("ann")), does: ill, events: []Event{corrected("ann", StatusPresent, "was ill")}},
		"correct, banned":        {room: after(roomOf(2, "ann"), ban("ann")), does: ill, events: []Event{corrected("ann", StatusPresent, "was ill")}},
		"correct, so already":    {room: after(closed(), ill), does: ill},
		"correct, otherwise":     {room: after(closed(), ill), does: correct("ann", StatusAbsent, "was ill"), events: []Event{corrected("ann", StatusAbsent, "was ill")}},
		"correct, another why":   {room: after(closed(), ill), does: correct("ann", StatusPresent, "came late"), events: []Event{corrected("ann", StatusPresent, "came late")}},
		"correct, taken back":    {room: after(closed(), ill), does: correct("ann", "", ""), events: []Event{corrected("ann", "", "")}},
		"correct, nothing to":    {room: closed(), does: correct("ann", "", "")},
		"correct, a stranger":    {room: closed(), does: correct("ben", StatusPresent, ""), err: ErrNotFound},
		"correct, banned before": {room: after(roomOf(2), ban("ann")), does: ill, err: ErrNotFound},
	} {
		t.Run(name, v.check)
		if v.err == nil {
			v.err, v.events = ErrForbidden, nil
			for who, by := range map[string]Caller{"student": student("ann"), "namesake": student("kim"), "other": {User: "lee", Role: Instructor}} {
				v.does = as(by, v.does)
				t.Run(name+", by "+who, v.check)
			}
		}
	}
}

// A correction outlives everything that happens to the person, and what the
// room shows is not touched by it.
func TestCorrectionStays(t *testing.T) {
	r := laterBy(time.Minute, roomOf(1, "ann"), correct("ann", StatusLate, "bus"), leave("ann"), join("ann"))
	want := &Correction{Status: StatusLate, Reason: "bus", By: "kim", At: bell.Add(time.Minute)}
	for _, does := range []Command{ban("ann"), unban("ann"), byKim(CommandClose)} {
		if got := laterBy(time.Minute, r, does).Person("ann").Correction; !reflect.DeepEqual(got, want) {
			t.Errorf("after %s: %+v", does.Type, got)
		}
	}
	was := r.Header
	laterBy(time.Minute, r, correct("ann", "", ""), policy(5))
	if r.Person("ann").Correction != nil || *r.Policy.LateAfterMinutes != 5 {
		t.Errorf("corrected: %+v, policy %+v", r.Person("ann").Correction, r.Policy)
	}
	was.Version, was.At, was.Policy = r.Version, r.At, r.Policy
	if !reflect.DeepEqual(r.Header, was) {
		t.Errorf("the room is %+v, was %+v", r.Header, was)
	}
}
