package room

import "time"

// A script is bytes that are read as what people do. After its end it is all
// zeros.
type script []byte

// next takes a number below n.
func (s *script) next(n int) int {
	if len(*s) == 0 {
		return 0
	}
	b := int((*s)[0])
	*s = (*s)[1:]
	return b % n
}

func (s *script) chance(oneIn int) bool { return s.next(oneIn) == 1 }

// step is how much time goes by between two batches.
func (s *script) step() time.Duration {
	return [...]time.Duration{
		0, 0, 0, time.Microsecond, time.Millisecond, time.Second, time.Second, OfflineAfter - time.Millisecond, OfflineAfter, OfflineAfter,
		LapseAfter - time.Millisecond, LapseAfter, time.Minute, time.Minute, time.Hour, -time.Second,
	}[s.next(16)]
}

func (s *script) user() UserID {
	return [...]UserID{"ann", "ben", "cat", "dan", "eve", "fay", "guest:1"}[s.next(7)]
}

func (s *script) caller() Caller {
	if s.chance(16) {
		return kim
	}
	return Caller{User: s.user(), Name: [...]string{"A", "A", "B"}[s.next(3)], Role: Student}
}

// leader is the room's instructor, or somebody who would like to be.
func (s *script) leader() Caller {
	if s.chance(8) {
		return s.caller()
	}
	return kim
}

// session is a socket of the user's own, or none: two people never share one.
func (s *script) session(u UserID) SessionID {
	if n := s.next(4); n > 0 {
		return SessionID(u) + SessionID("/"+itoa(n))
	}
	return ""
}

func (s *script) instance() InstanceID { return [...]InstanceID{"i1", "i2"}[s.next(2)] }

// command is one that is asked of r at about the given time.
func (s *script) command(r *Room, at time.Time) (c Command) {
	switch s.next(20) {
	default:
		c.Type, c.By, c.Code = CommandJoin, s.caller(), [...]string{r.Code, r.Code, r.Code, r.Code, theCode, newCode, ""}[s.next(7)]
		c.Session, c.Instance, c.Invite = s.session(c.By.User), s.instance(), s.invite()
	case 6:
		c.Type, c.By, c.Instance = CommandConnect, s.caller(), s.instance()
		c.Session = s.session(c.By.User)
	case 7, 8:
		c.Type, c.By, c.At = CommandDisconnect, s.caller(), at.Add(s.step())
		c.Session = s.session(c.By.User)
	case 9, 10:
		c.Type, c.By = CommandLeave, s.caller()
	case 11:
		c.Type, c.Instance, c.At = CommandReap, s.instance(), at.Add(s.step())
	case 12, 13, 14:
		c.Type, c.By, c.Change = CommandUpdate, s.leader(), s.change(at)
	case 15:
		c.Type, c.By, c.User, c.Ban = CommandRemove, s.leader(), s.user(), s.chance(4)
	case 16, 17:
		c.Type, c.By, c.User, c.All = CommandAdmit, s.leader(), s.user(), s.next(2) == 0
	case 18:
		s.record(&c)
	case 19:
		s.rare(&c, at)
	}
	return c
}

// record makes c one of those that are carried out in a closed room too.
func (s *script) record(c *Command) {
	c.Type = [...]CommandType{CommandUnban, CommandUnban, CommandPolicy, CommandCorrect}[s.next(4)]
	c.By, c.User = s.leader(), s.user()
	c.Policy = &Policy{LateAfterMinutes: [...]*int{nil, new(0), new(5)}[s.next(3)]}
	c.Status, c.Reason = [...]AttendanceStatus{"", StatusPresent, StatusAbsent}[s.next(3)], [...]string{"", "was ill"}[s.next(2)]
}

func (s *script) rare(c *Command, at time.Time) {
	c.Type = [...]CommandType{CommandStart, CommandStart, CommandTick, CommandTick, CommandOpen, "sing", CommandClose}[s.next(7)]
	c.By, c.Change = s.leader(), s.change(at)
}

func (s *script) invite() *Invitation {
	if s.next(2) == 0 {
		return nil
	}
	return &Invitation{Room: theRoom, Renewals: s.next(3)}
}

func (s *script) change(at time.Time) *Change {
	var c Change
	switch s.next(8) {
	case 0:
		c.Title = [...]*string{new("Logic"), new("Sets")}[s.next(2)]
	case 1:
		c.Code = [...]string{theCode, newCode}[s.next(2)]
	case 2, 3:
		c.Capacity = new(1 + s.next(6))
	case 4:
		c.Capacity, c.Options = new(1+s.next(6)), s.edit(at)
	default:
		c.Options = s.edit(at)
	}
	return &c
}

// edit sets one option, or several.
func (s *script) edit(at time.Time) *OptionsEdit {
	var e OptionsEdit
	for range 1 + s.next(3) {
		switch s.next(12) {
		case 0, 1, 2:
			e.Waitlist = new(s.next(4) > 0)
		case 3, 4, 5:
			e.Approval = new(s.next(2) == 0)
		case 6:
			e.Locked = new(s.chance(3))
		case 7:
			e.Guests = new(s.next(3) > 0)
		case 8:
			e.Roster = new([...]RosterFor{RosterInstructor, RosterEveryone}[s.next(2)])
		case 9:
			e.SeatHoldSeconds = new([...]int{0, 1, 10, 60, MaxSeatHold}[s.next(5)])
		case 10:
			e.MaxMinutes = new([...]int{1, 60, 61, 720, MaxMinutes}[s.next(5)])
		case 11:
			e.StartsAt = s.startsAt(at)
		}
	}
	return &e
}

// startsAt is none, or around the given time.
func (s *script) startsAt(at time.Time) *Timestamp {
	if s.chance(4) {
		return new(Timestamp)
	}
	return &Timestamp{at.Add(s.step()).Truncate(time.Millisecond)}
}
