package room

import "time"

// decisions are what must be known of what was decided lately, so that nothing
// is decided twice, or too late.
type decisions struct {
	decided map[CommandID]bool
	asked   map[UserID]int64   // when the last command of a person was asked, in Unix nanoseconds
	over    map[SessionID]bool // sessions whose socket has gone
}

// newDecisions has space for those of so many commands.
func newDecisions(n int) decisions {
	return decisions{make(map[CommandID]bool, n), make(map[UserID]int64, n), map[SessionID]bool{}}
}

func (d *decisions) add(id CommandID, typ CommandType, by UserID, session SessionID, at time.Time) {
	d.decided[id] = true
	switch {
	case typ == CommandDisconnect:
		d.over[session] = true
	case !typ.past():
		d.asked[by] = max(d.asked[by], at.UnixNano())
	}
}

func (d *decisions) forget(id CommandID, by UserID, session SessionID, before time.Time) {
	delete(d.decided, id)
	delete(d.over, session)
	if d.asked[by] < before.UnixNano() {
		delete(d.asked, by)
	}
}

// sift returns the commands that are to be decided: once each, and none that
// is too late. Those that never will be, and were asked here, are lost. Its
// caller holds mu.
func (d *desk) sift(commands []Queued, now time.Time) (fresh []Command, lost []*asked) {
	fresh = make([]Command, 0, len(commands))
	before := newDecisions(len(commands))
	for i := range commands {
		c := &commands[i].Command
		switch {
		case d.decided[c.ID] || before.decided[c.ID]: // a queue may hold a command twice
		case !d.tooLate(c, now, before):
			fresh = append(fresh, *c)
			before.add(c.ID, c.Type, c.By.User, c.Session, c.AskedAt)
		default:
			if a := d.waiting[c.ID]; a != nil {
				d.dismiss(a)
				lost = append(lost, a)
			}
		}
	}
	return fresh, lost
}

// tooLate tells whether a command must not be decided any more: who asked has
// given up, or has asked for something else since that was decided, perhaps
// just now, or the socket that asked has gone. The room's own time counts too:
// a machine that slept does not know how late it is.
func (d *desk) tooLate(c *Command, now time.Time, before decisions) bool {
	switch {
	case later(now, d.room.At).Sub(c.AskedAt) >= staleAfter:
		return true
	case c.Type.past():
		return false
	}
	return c.AskedAt.UnixNano() < max(before.asked[c.By.User], d.asked[c.By.User]) ||
		c.Session != "" && (before.over[c.Session] || d.over[c.Session])
}
