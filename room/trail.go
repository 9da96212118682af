package room

// A LogItem is one entry of a room's log for people who ask what happened.
// Sessions, instances and commands' ids are left out: they are nobody's
// business.
type LogItem struct {
	Version  int64        `json:"version"`
	At       Timestamp    `json:"at"`
	Events   []LogEvent   `json:"events"`
	Refused  []LogRefusal `json:"refused"`
	Answered []LogAnswer  `json:"answered"`
}

// A LogEvent is an Event without what is nobody's business. Events of every
// type are shown; what does not apply to one is absent, but for the user.
type LogEvent struct {
	Type   EventType        `json:"type"`
	User   *UserID          `json:"user"` // null: it is about the room
	Name   string           `json:"name,omitempty" doc:"The one the person has now: the log keeps none."`
	Guest  bool             `json:"guest,omitempty"`
	State  State            `json:"state,omitempty"`
	Seat   int              `json:"seat,omitempty"`
	Place  int64            `json:"place,omitempty"`
	Online bool             `json:"online,omitempty" doc:"Connected: was not shown online before."`
	Reason Reason           `json:"reason,omitempty"`
	At     Timestamp        `json:"at,omitzero" doc:"When it truly happened, where that was before the entry."`
	Change *LogChange       `json:"change,omitempty"`
	Policy *Policy          `json:"policy,omitempty"`
	Status AttendanceStatus `json:"status,omitempty" doc:"Of a correction; absent: it was taken back."`
	Why    string           `json:"why,omitempty"`
	By     UserID           `json:"by,omitempty"`
}

// A LogChange is a Change as far as it is the instructor's.
type LogChange struct {
	Title    *string      `json:"title,omitempty"`
	Capacity *int         `json:"capacity,omitempty"`
	Options  *OptionsEdit `json:"options,omitempty"`
	Code     string       `json:"code,omitempty"`
}

// A LogRefusal is a request that was refused.
type LogRefusal struct {
	Type    CommandType `json:"type"`
	User    *UserID     `json:"user"`
	Code    Code        `json:"code"`
	Field   string      `json:"field,omitempty"`
	AskedAt Timestamp   `json:"asked_at"`
}

// A LogAnswer is a request that was carried out, or had been already.
type LogAnswer struct {
	Type     CommandType `json:"type"`
	User     *UserID     `json:"user"` // who asked; null: the server itself
	AskedAt  Timestamp   `json:"asked_at"`
	State    State       `json:"state,omitempty"`
	Seat     int         `json:"seat,omitempty"`
	Position int         `json:"position,omitempty"`
	Already  bool        `json:"already,omitempty"`
	Count    int         `json:"count,omitempty"`
}

// LogItem returns what people are shown of the entry.
func (e *Entry) LogItem() LogItem {
	item := LogItem{Version: e.Version, At: Timestamp{e.At}, Events: []LogEvent{}, Refused: []LogRefusal{}, Answered: []LogAnswer{}}
	for i := range e.Events {
		item.Events = append(item.Events, e.Events[i].shown())
	}
	for i := range e.Answers {
		a := &e.Answers[i]
		if a.Code != "" {
			item.Refused = append(item.Refused, LogRefusal{a.Type, userOrNull(a.User), a.Code, a.Field, Timestamp{a.askedAt(e.At)}})
			continue
		}
		item.Answered = append(item.Answered, LogAnswer{
			a.Type, userOrNull(a.User), Timestamp{a.askedAt(e.At)}, a.State, a.Seat, a.Position, a.Already, a.Count,
		})
	}
	return item
}

func (e *Event) shown() LogEvent {
	s := LogEvent{
		Type: e.Type, User: userOrNull(e.User), Name: e.Name, Guest: e.Guest, State: e.State, Seat: e.Seat, Place: e.Place,
		Online: e.Online, Reason: e.Reason, At: Timestamp{e.At}, Policy: e.Policy, Status: e.Status, Why: e.Why, By: e.By,
	}
	if c := e.Change; c != nil {
		s.Change = &LogChange{c.Title, c.Capacity, c.Options, c.Code}
	}
	return s
}

func userOrNull(u UserID) *UserID {
	if u == "" {
		return nil
	}
	return &u
}

// Of returns one person's part of the item: what happened to, was asked by or
// was done by that person; false if there is nothing of that.
func (i LogItem) Of(u UserID) (LogItem, bool) {
	is := func(user *UserID) bool { return user != nil && *user == u }
	part := i
	part.Events = only(i.Events, func(e LogEvent) bool { return is(e.User) || e.By == u })
	part.Refused = only(i.Refused, func(r LogRefusal) bool { return is(r.User) })
	part.Answered = only(i.Answered, func(a LogAnswer) bool { return is(a.User) })
	return part, part.Facts() > 0
}

// Facts is how many things the item tells.
func (i LogItem) Facts() int { return len(i.Events) + len(i.Refused) + len(i.Answered) }

func only[T any](all []T, wanted func(T) bool) []T {
	some := []T{}
	for _, one := range all {
		if wanted(one) {
			some = append(some, one)
		}
	}
	return some
}
