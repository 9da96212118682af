package room

import (
	"context"
	"time"
)

// A Store keeps rooms. Its methods are safe for concurrent use, and a Room
// that Load returns after Save has returned includes the saved step.
// Refusals aside (ErrNotFound), an error means that the store cannot be
// reached.
type Store interface {
	// Save makes step durable as its room's next version: the entry, the
	// room, the people, their sessions and the claims, all or nothing. It
	// returns ErrStale if the room is not at the version before the entry's,
	// *Claimed if another room holds a name that the step claims (the first
	// such in order; a name that this room does not hold is not released), and
	// ErrUnknown if it cannot tell whether the step was saved; saving the
	// same step (Entry.Batch) again then tells. A step of version 1 makes
	// the room.
	Save(ctx context.Context, step Step) error

	// SaveNext is Save for a room that others keep changing: it makes them
	// wait, calls next once with the entries after a version, in order and
	// named, and saves the step that next makes of them; false: nothing is to
	// be saved. The errors are Save's; ErrStale only if the store has less of
	// the room than the caller, or nothing.
	SaveNext(ctx context.Context, id ID, after int64, next func(missed []Entry) (Step, bool)) error

	// Load returns a room as it is, and its entries since the given time in
	// order, all of one moment. It returns ErrNotFound if there is no such
	// room.
	Load(ctx context.Context, id ID, since time.Time) (*Room, []Entry, error)

	// Entries returns the room's entries after a version, in order, at most
	// limit, with the names of the people in them.
	Entries(ctx context.Context, id ID, after int64, limit int) ([]Entry, error)

	// Versions returns the versions of rooms, in one look; of those that do
	// not exist none.
	Versions(ctx context.Context, ids []ID) (map[ID]int64, error)

	// Holder returns the room that holds a claim, ErrNotFound if none does.
	Holder(ctx context.Context, claim string) (ID, error)

	// Due returns rooms that are due at the given time, at most limit, the
	// one that is due longest first.
	Due(ctx context.Context, at time.Time, limit int) ([]ID, error)

	// Beat says that an instance lives. The beat of one that is marked dead
	// changes nothing.
	Beat(ctx context.Context, instance InstanceID) (Pulse, error)

	// Bury marks as dead every instance but the living one whose last beat is
	// at least so old, and returns how many. Their sessions that ended later
	// than that, when somebody gave up a place or the room closed, ended with
	// it: nobody knows of more. One that has been dead for more
	// than a day, and has no open sessions, may be forgotten.
	Bury(ctx context.Context, living InstanceID, silence time.Duration) (int, error)

	// Orphans returns the rooms that have open sessions of instances that
	// are dead, or that the store has never heard of.
	Orphans(ctx context.Context) ([]Orphan, error)
}

// A Pulse is what a store says to a beat.
type Pulse struct {
	Now    time.Time // the store's time
	Dead   bool      // the instance is marked dead
	Living int       // instances not marked dead, this one included
}

// An Orphan is what a dead instance left in a room: open sessions.
type Orphan struct {
	Room     ID
	Instance InstanceID
	BeatAt   time.Time // when the instance was last known to live
}

// A Queue keeps the commands that wait to be decided, per room, in the order
// in which they arrived from all instances. It may lose everything at any
// moment: whoever asked asks again. An error means that it is away; it comes
// within a fraction of a second.
type Queue interface {
	// Push adds commands of one room behind those that wait.
	Push(ctx context.Context, id ID, commands []Command) error

	// Head returns those that have waited longest, at most limit, and leaves
	// them in the queue.
	Head(ctx context.Context, id ID, limit int) ([]Queued, error)
}

// A Queued is a command in a queue.
type Queued struct {
	Position string // names it for Bus.Publish
	Command  Command
}

// A Locker keeps two instances from deciding for one room at a time. It saves
// work; what keeps the promises is the store's compare-and-set.
type Locker interface {
	// Lock tries once to get the lock of a room and returns false if another
	// holds it. Whoever got it calls unlock, which never blocks for long. An
	// error means that nobody can tell; it comes within a fraction of a second.
	Lock(ctx context.Context, id ID) (unlock func(), ok bool, err error)
}

// A Bus tells every instance what was saved. It is a hint: an entry may get
// lost, and comes late or twice.
type Bus interface {
	// Publish tells all instances of the entry and takes the commands that
	// it answers off the queue, both at once. An entry of version 0 tells
	// nothing.
	Publish(ctx context.Context, entry Entry, answered []string) error

	// Listen hands entries that are published to receive, in the order of
	// their publication, until ctx is done: those for whose room and version
	// wants answers true. It calls missed where entries may have been lost,
	// first when it hears everything from then on.
	Listen(ctx context.Context, wants func(ID, int64) bool, receive func(Entry), missed func()) error
}
