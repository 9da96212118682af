package room

import (
	"strings"
	"time"
)

// Identities. All are opaque strings, so that they read the same in Go, SQL
// and JSON.
type (
	ID         string // of a room: 26 characters, see NewID
	UserID     string // 1-128 bytes, unique per person; a passport's "sub"
	SessionID  string // of one socket's stay in one room
	InstanceID string // of one running server
	CommandID  string // of one command, unique over all instances
)

// A Role is what a passport lets its holder do.
type Role string

// The two roles of the protocol.
const (
	Instructor Role = "instructor"
	Student    Role = "student"
)

// CommandType names what is asked of a room.
type CommandType string

// Everything that a lecture room can be asked.
const (
	CommandOpen       CommandType = "open"
	CommandJoin       CommandType = "join"       // take a seat, or come back to it
	CommandConnect    CommandType = "connect"    // come back to a place, never take one
	CommandDisconnect CommandType = "disconnect" // a socket went
	CommandLeave      CommandType = "leave"
	CommandUpdate     CommandType = "update"
	CommandStart      CommandType = "start"
	CommandAdmit      CommandType = "admit"
	CommandRemove     CommandType = "remove"
	CommandUnban      CommandType = "unban"
	CommandClose      CommandType = "close"
	CommandPolicy     CommandType = "policy"  // set the attendance policy
	CommandCorrect    CommandType = "correct" // set someone's attendance status by hand
	CommandReap       CommandType = "reap"    // an instance died: its sessions ended
	CommandTick       CommandType = "tick"    // something is due
)

// A Caller is who asks, as the passport says it.
type Caller struct {
	User UserID `json:"user"`
	Name string `json:"name,omitempty"`
	Role Role   `json:"role,omitempty"`
}

// GuestPrefix begins the user id of everyone who came by guest sign-in, and
// of nobody else.
const GuestPrefix = "guest:"

// isGuest tells whether NewGuest could have made an id.
func isGuest(user UserID) bool {
	digits, ok := strings.CutPrefix(string(user), GuestPrefix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}

// Guest tells whether the caller came by guest sign-in.
func (c Caller) Guest() bool { return strings.HasPrefix(string(c.User), GuestPrefix) }

// A Command asks something of one room. It carries everything that deciding
// it takes, so that any instance can decide it.
type Command struct {
	ID      CommandID   `json:"id"`
	Type    CommandType `json:"type"`
	Room    ID          `json:"room"`
	By      Caller      `json:"by"`
	AskedAt time.Time   `json:"asked_at"`

	// Join: the code or the invitation it came with. A Command that carries
	// neither is let in only if its caller has a place already.
	Code   string      `json:"code,omitempty"`
	Invite *Invitation `json:"invite,omitempty"`

	// Join, connect, disconnect: the socket. Empty where there is none.
	Session  SessionID  `json:"session,omitempty"`
	Instance InstanceID `json:"instance,omitempty"`

	// Disconnect, reap: when it truly happened, if that was before AskedAt.
	At time.Time `json:"at,omitzero"`

	// Remove, unban, admit, correct: whom it is about.
	User UserID `json:"user,omitempty"`
	Ban  bool   `json:"ban,omitempty"`
	All  bool   `json:"all,omitempty"`

	// Open, update: what the room is to be.
	Change *Change `json:"change,omitempty"`

	// Policy: the new one. Correct: the status of User, empty to take a
	// correction back, and why.
	Policy *Policy          `json:"policy,omitempty"`
	Status AttendanceStatus `json:"status,omitempty"`
	Reason string           `json:"reason,omitempty"`
}

// past tells whether such a command reports what has happened already.
func (t CommandType) past() bool { return t == CommandDisconnect || t == CommandReap }

// A Change sets what an instructor decides about a room. Nil: as it was.
type Change struct {
	Title    *string      `json:"title,omitempty"`
	Capacity *int         `json:"capacity,omitempty"`
	Options  *OptionsEdit `json:"options,omitempty"`
	Code     string       `json:"code,omitempty"` // a new join code; empty: as it was
	Slot     int          `json:"slot,omitempty"` // open: which of the instructor's the room holds
}

// EventType names what happened in a room.
type EventType string

// Everything that can happen in a room.
const (
	EventOpened       EventType = "opened"
	EventStarted      EventType = "started" // a scheduled room is open
	EventChanged      EventType = "changed"
	EventJoined       EventType = "joined"   // has a place: seated, waiting or pending
	EventAdmitted     EventType = "admitted" // from pending to waiting
	EventSeated       EventType = "seated"   // from waiting or pending to a seat
	EventRenamed      EventType = "renamed"
	EventLeft         EventType = "left"
	EventBanned       EventType = "banned" // of someone who has no place
	EventUnbanned     EventType = "unbanned"
	EventConnected    EventType = "connected"
	EventDisconnected EventType = "disconnected"
	EventOffline      EventType = "offline"
	EventClosed       EventType = "closed"
	EventPolicy       EventType = "policy_set"
	EventCorrected    EventType = "corrected"
	EventErased       EventType = "erased" // User is the name in place of someone who was erased from the room
)

// A Reason says why someone left or a room closed.
type Reason string

// Reasons, as the protocol spells them.
const (
	ReasonLeft       Reason = "left"
	ReasonRemoved    Reason = "removed"
	ReasonBanned     Reason = "banned"
	ReasonLapsed     Reason = "place_lapsed"
	ReasonInstructor Reason = "instructor"
	ReasonExpired    Reason = "expired"
)

// An Event is one thing that happened in a room. The same value is decided,
// saved, published and shown.
type Event struct {
	Type EventType `json:"type"`
	User UserID    `json:"user,omitempty"`
	// Name is the display name of User (of the instructor in opened). The
	// log keeps none (a person can be erased); a store that reads the log
	// fills it in again from where names are kept.
	Name     string     `json:"name,omitempty"`
	Guest    bool       `json:"guest,omitempty"`
	State    State      `json:"state,omitempty"` // joined
	Seat     int        `json:"seat,omitempty"`  // joined, seated
	Place    int64      `json:"place,omitempty"` // joined, admitted: see Person
	Session  SessionID  `json:"session,omitempty"`
	Instance InstanceID `json:"instance,omitempty"`
	Online   bool       `json:"online,omitempty"`  // connected: was not shown online before
	Offline  bool       `json:"offline,omitempty"` // joined: without a socket
	Reason   Reason     `json:"reason,omitempty"`  // left, closed
	At       time.Time  `json:"at,omitzero"`       // disconnected, expired, started: when it truly happened
	Change   *Change    `json:"change,omitempty"`  // opened, changed
	Command  CommandID  `json:"command,omitempty"` // left: the command that asked for it
	Policy   *Policy    `json:"policy,omitempty"`  // policy_set
	// Corrected: the status (empty: the correction is taken back), why, and by
	// whom.
	Status AttendanceStatus `json:"status,omitempty"`
	Why    string           `json:"why,omitempty"`
	By     UserID           `json:"by,omitempty"`
}

// An Answer is what became of one command.
type Answer struct {
	Command CommandID   `json:"command"`
	Type    CommandType `json:"type"`
	User    UserID      `json:"user,omitempty"`  // who asked
	Ago     int64       `json:"ago,omitempty"`   // how long before the entry it was asked, in milliseconds, rounded up
	Code    Code        `json:"code,omitempty"`  // the refusal's code; empty: done
	Field   string      `json:"field,omitempty"` // of the refusal
	Already bool        `json:"already,omitempty"`
	State   State       `json:"state,omitempty"` // join, connect: the place
	Seat    int         `json:"seat,omitempty"`
	// Position is the rank in the line, from 1; 0: does not wait.
	Position int       `json:"position,omitempty"`
	Count    int       `json:"count,omitempty"`   // admit: people; reap: sessions that ended
	Session  SessionID `json:"session,omitempty"` // disconnect: it is over, whether or not it had begun
}

// askedAt is when the command of an entry of the given time was asked.
func (a *Answer) askedAt(at time.Time) time.Time {
	return at.Add(-time.Duration(a.Ago) * time.Millisecond)
}

// An Entry is one step of a room's log: the batch of commands that moved the
// room from Version-1 to Version, each with its answer, and what happened.
type Entry struct {
	Room    ID        `json:"room"`
	Version int64     `json:"version"` // from 1, without holes
	At      time.Time `json:"at"`
	Batch   string    `json:"batch"` // of the attempt to save: the same for every retry
	Answers []Answer  `json:"answers,omitempty"`
	Events  []Event   `json:"events,omitempty"`
	// SavedAt is when the store had the entry, as the instance that saved it
	// tells everyone; the store does not keep it.
	SavedAt time.Time `json:"saved_at,omitzero"`
	// Locked tells everyone that it was decided under the room's lock; the
	// store does not keep that either.
	Locked bool `json:"locked,omitempty"`
}
