package main

import (
	"fmt"

	"github.com/lectern-room/lectern/room"
)

// asks says what a command asks for.
func asks(c room.CommandType) string {
	switch c {
	case room.CommandJoin:
		return "asked to join"
	case room.CommandConnect:
		return "came back"
	case room.CommandLeave:
		return "asked to leave"
	case room.CommandUpdate:
		return "asked to change the room"
	case room.CommandStart:
		return "asked to start the room"
	case room.CommandAdmit:
		return "asked to admit people"
	case room.CommandRemove:
		return "asked to remove someone"
	case room.CommandUnban:
		return "asked to lift a ban"
	case room.CommandClose:
		return "asked to close the room"
	case room.CommandPolicy:
		return "asked for another attendance policy"
	case room.CommandCorrect:
		return "asked to correct someone's attendance"
	}
	return "asked for " + string(c)
}

// refused says why something was refused, to somebody else than who asked.
func refused(r room.LogRefusal) string {
	switch r.Code {
	case room.CodeRoomFull:
		return "every seat was taken"
	case room.CodeRoomLocked:
		return "the instructor had locked the room"
	case room.CodeNotStarted:
		return "the room was not open yet"
	case room.CodeRoomClosed:
		return "the room was closed"
	case room.CodeBanned:
		return "was banned from the room"
	case room.CodeNotFound:
		return notFound(r.Type)
	case room.CodeForbidden:
		switch r.Field {
		case "guests":
			return "the room takes no guests"
		case "role":
			return "only students take seats"
		}
		return "that is for the room's instructor"
	case room.CodeConflict:
		if r.Field == "starts_at" {
			return "the room had started"
		}
		return "more seats than that were taken"
	}
	return "it could not be done"
}

func notFound(c room.CommandType) string {
	switch c {
	case room.CommandJoin:
		return "the code, or the invitation, was not the room's any more"
	case room.CommandConnect:
		return "there was no place to come back to"
	}
	return "there was no such person"
}

// done says what came of what was asked, "" if what happened says it. Online:
// was offline before.
func done(a room.LogAnswer, online bool) string {
	switch a.Type {
	case room.CommandJoin, room.CommandConnect:
		if online {
			return back(a) + ", online again"
		}
		return back(a)
	case room.CommandAdmit:
		return fmt.Sprintf("%s: %d admitted", asks(a.Type), a.Count)
	case room.CommandOpen, room.CommandLeave, room.CommandDisconnect:
		return ""
	}
	return asks(a.Type) + ": done"
}

// back says to which place someone came back.
func back(a room.LogAnswer) string {
	switch a.State {
	case room.Seated:
		return fmt.Sprintf("came back to seat %d", a.Seat)
	case room.Waiting:
		return fmt.Sprintf("came back to the line, %s", ordinal(a.Position))
	}
	return "came back, still to be admitted"
}

// ordinal spells a rank in the line.
func ordinal(n int) string {
	end := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, end)
}
