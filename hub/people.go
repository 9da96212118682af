package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lectern-room/lectern/room"
)

func (a *api) addPeopleCalls() {
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "attend", Method: http.MethodPost, Path: "/v1/attend", DefaultStatus: http.StatusCreated, Tags: []string{"people"},
			Summary:     "Take a place",
			Description: "For students: a place without a socket. 201: seated; 202: waiting or pending; 200: had the place already. Where new sockets are let in at a pace, so are these calls: `unavailable`, with when to come.",
			Parameters:  []*huma.Param{invitationParameter},
		},
		Type: "join", Also: []int{http.StatusOK, http.StatusAccepted}, Body: attendBody{},
		Codes: []room.Code{
			room.CodeBanned, room.CodeNotFound, room.CodeRoomFull, room.CodeRoomLocked, room.CodeNotStarted, room.CodeRoomClosed, room.CodeRateLimited,
		},
	}, a.attend)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "removeMember", Method: http.MethodDelete, Path: "/v1/rooms/{id}/members/{user}", Tags: []string{"people"},
			Summary:     "Remove someone, or leave",
			Description: "For the room's instructor, who may ban the person too; and for oneself, which is leaving.",
			Parameters: []*huma.Param{roomParameter, userParameter, {
				Name: "ban", In: "query", Description: "true: the person may not join again.", Schema: &huma.Schema{Type: huma.TypeBoolean},
			}},
		},
		Type: "remove", Codes: []room.Code{room.CodeNotFound, room.CodeRoomClosed},
	}, a.removeMember)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "listRoster", Method: http.MethodGet, Path: "/v1/rooms/{id}/roster", Tags: []string{"people"},
			Summary:     "List the members",
			Description: "The seated by seat, then the waiting and then the pending by place, as of `version`; between two pages the version may move on. For the room's instructor, and for everyone seated where the option `roster` says so. To others there is no such room.",
			Parameters:  []*huma.Param{roomParameter, limitParameter, cursorParameter},
		},
		Codes: []room.Code{room.CodeNotFound},
	}, a.listRoster)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "listBans", Method: http.MethodGet, Path: "/v1/rooms/{id}/bans", Tags: []string{"people"},
			Summary: "List who is banned", Description: "In the order of the bans. For the room's instructor. To others there is no such room.",
			Parameters: []*huma.Param{roomParameter, limitParameter, cursorParameter},
		},
		Codes: []room.Code{room.CodeNotFound},
	}, a.listBans)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "unban", Method: http.MethodDelete, Path: "/v1/rooms/{id}/bans/{user}", Tags: []string{"people"},
			Summary: "Lift a ban", Description: "For the room's instructor.", Parameters: []*huma.Param{roomParameter, userParameter},
		},
		Type: "unban", Codes: []room.Code{room.CodeNotFound},
	}, a.step)
}

type attendAnswer struct {
	Room     roomObject `json:"room"`
	State    room.State `json:"state" enum:"seated,waiting,pending"`
	Seat     *int       `json:"seat"`
	Position *int       `json:"position" doc:"In the line of those who wait, from 1; null for others."`
	Already  bool       `json:"already"`
	Version  int64      `json:"version"`
}

func (a *api) attend(c *call) (status int, place attendAnswer, err error) {
	if wait := a.admit(c.passport.User); wait > 0 {
		return 0, place, paced(wait)
	}
	command, err := a.joining(c.r.Context(), &c.request, c.visitor)
	if err != nil {
		return 0, place, err
	}
	err = a.do(c, command, func(o room.Outcome) {
		at := placeNow(o)
		place = attendAnswer{
			Room: objectOf(&o.Room.Header, at.state == room.Seated), State: at.state, Seat: orNull(at.seat),
			Position: orNull(at.position), Already: o.Answer.Already, Version: o.Room.Version,
		}
	})
	switch {
	case err != nil:
		return 0, place, a.guessed(err, command, c.visitor)
	case place.Already:
		return http.StatusOK, place, nil
	case place.State != room.Seated:
		return http.StatusAccepted, place, nil
	}
	return http.StatusCreated, place, nil
}

func (a *api) removeMember(c *call) (int, stepAnswer, error) {
	switch c.r.URL.Query().Get("ban") {
	case "true":
		c.Ban = true
	case "", "false":
	default:
		return 0, stepAnswer{}, room.BadField("ban", accepted["ban"])
	}
	if room.UserID(c.r.PathValue("user")) == c.passport.User {
		return a.leave(c)
	}
	return a.step(c)
}

func (a *api) leave(c *call) (int, stepAnswer, error) {
	c.Type = "leave"
	id, err := checkRoomID(c.r.PathValue("id"))
	if err != nil {
		return 0, stepAnswer{}, err
	}
	return a.take(c, room.Command{Type: room.CommandLeave, Room: id, By: c.passport.Caller})
}

// step carries out what the instructor asks about the person in the path.
func (a *api) step(c *call) (int, stepAnswer, error) {
	c.User = c.r.PathValue("user")
	command, err := c.lead()
	if err != nil {
		return 0, stepAnswer{}, err
	}
	return a.take(c, command)
}

type stepAnswer struct {
	Room    room.ID `json:"room_id"`
	Version int64   `json:"version"`
}

func (a *api) take(c *call, command room.Command) (status int, done stepAnswer, err error) {
	err = a.do(c, command, func(o room.Outcome) { done = stepAnswer{o.Room.ID, o.Room.Version} })
	return http.StatusOK, done, err
}

type rosterAnswer struct {
	Items   []rosterEntry `json:"items"`
	Next    *string       `json:"next_cursor" doc:"The cursor of the next page; null at the end."`
	Version int64         `json:"version" doc:"Of the room, at the time of this page."`
}

func (a *api) listRoster(c *call) (int, rosterAnswer, error) {
	// The order of the roster; padded, so that it sorts as text.
	key := func(e *room.Person) string { return fmt.Sprintf("%d%019d", rank[e.State], max(int64(e.Seat), e.Place)) }
	p, err := c.page(func(key string) bool { return len(key) == 20 && strings.Trim(key, "0123456789") == "" })
	if err != nil {
		return 0, rosterAnswer{}, err
	}
	var roster rosterAnswer
	var members list[*room.Person]
	err = a.look(c, func(r *room.Room) bool { return r.MayWatch(c.passport.Caller) }, func(r *room.Room) {
		members = cut(p, follow(p, r.Roster(), key), key)
		roster.Version = r.Version
	})
	roster.Items, roster.Next = make([]rosterEntry, len(members.Items)), members.Next
	for i, e := range members.Items {
		roster.Items[i] = entryOf(e)
	}
	return http.StatusOK, roster, err
}

type banObject struct {
	User room.UserID `json:"user"`
	Name string      `json:"name"`
	At   string      `json:"at" format:"date-time"`
}

func (a *api) listBans(c *call) (int, list[banObject], error) {
	p, err := c.page(isBanKey)
	if err != nil {
		return 0, list[banObject]{}, err
	}
	var bans []banObject
	err = a.look(c, func(r *room.Room) bool { return r.LedBy(c.passport.Caller) }, func(r *room.Room) {
		for person := range r.People() {
			if person.State == room.Banned {
				bans = append(bans, banObject{person.User, person.Name, room.Stamp(person.BannedAt)})
			}
		}
	})
	slices.SortFunc(bans, func(a, b banObject) int { return strings.Compare(a.key(), b.key()) })
	return http.StatusOK, cut(p, follow(p, bans, banObject.key), banObject.key), err
}

// key orders bans: by their time, and a person has one.
func (b banObject) key() string { return b.At + " " + string(b.User) }

func isBanKey(key string) bool {
	at, user, _ := strings.Cut(key, " ")
	_, err := time.Parse(time.RFC3339, at)
	return err == nil && room.ValidUser(user)
}
