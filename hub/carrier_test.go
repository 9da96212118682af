package hub

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lectern-room/lectern/room"
)

func TestCarriers(t *testing.T) {
	type h = http.Header
	const (
		userID    = "X-User-Id"
		roomID    = "X-Room-Id"
		bearer    = "Authorization"
		protocols = "Sec-Websocket-Protocol"
		cookie    = "Cookie"
	)
	origin := []string{"http://localhost:8080"}
	for name, test := range map[string]struct {
		method string // GET
		socket bool
		header h
		want   carried
		err    error
	}{
		"nothing":                 {"", true, h{}, carried{}, nil},
		"gateway":                 {"", true, h{userID: {"u"}, roomID: {"r"}}, carried{"u", "r"}, nil},
		"bearer":                  {"", false, h{bearer: {"Bearer u"}}, carried{"u", ""}, nil},
		"bearer case":             {"", false, h{bearer: {"bEARER u"}}, carried{"u", ""}, nil},
		"bearer spaces":           {"", false, h{bearer: {"Bearer   u"}}, carried{"u", ""}, nil},
		"bearer empty":            {"", false, h{bearer: {"Bearer"}}, carried{}, room.ErrUnauthorized},
		"other scheme":            {"", false, h{bearer: {"Basic dTpw"}}, carried{}, nil},
		"subprotocols":            {"", true, h{protocols: {"lectern.v1, passport.u, room.r"}}, carried{"u", "r"}, nil},
		"subprotocols, no spaces": {"", true, h{protocols: {"passport.u,room.r,lectern.v1"}}, carried{"u", "r"}, nil},
		"several lists":           {"", true, h{protocols: {"lectern.v1", "passport.u", "room.r"}}, carried{"u", "r"}, nil},
		"subprotocol is exact":    {"", true, h{protocols: {"Passport.u, passportu, xpassport.u, rooms.r"}}, carried{}, nil},
		"subprotocol empty":       {"", true, h{protocols: {"lectern.v1, passport."}}, carried{}, room.ErrUnauthorized},
		"subprotocols, no socket": {"", false, h{protocols: {"passport.u, room.r"}}, carried{}, nil},
		"cookie, socket":          {"", true, h{cookie: {"a=b; lectern_passport=u"}, "Origin": origin}, carried{"u", ""}, nil},

		"gateway before all":        {"", true, h{userID: {"1"}, bearer: {"Bearer 2"}, protocols: {"passport.3"}, cookie: {"lectern_passport=4"}, "Origin": origin}, carried{"1", ""}, nil},
		"bearer before browser's":   {"", true, h{bearer: {"Bearer 2"}, protocols: {"passport.3"}, cookie: {"lectern_passport=4"}, "Origin": origin}, carried{"2", ""}, nil},
		"subprotocol, then cookie":  {"", true, h{protocols: {"passport.3"}, cookie: {"lectern_passport=4"}, "Origin": origin}, carried{"3", ""}, nil},
		"looked for separately":     {"", true, h{userID: {"u"}, protocols: {"passport.x, room.r"}}, carried{"u", "r"}, nil},
		"room of gateway first":     {"", true, h{roomID: {"1"}, protocols: {"passport.u, room.2"}}, carried{"u", "1"}, nil},
		"empty of gateway counts":   {"", true, h{userID: {""}, bearer: {"Bearer u"}}, carried{}, room.ErrUnauthorized},
		"empty behind another":      {"", true, h{userID: {"u"}, bearer: {"Bearer"}}, carried{"u", ""}, nil},
		"empty room":                {"", true, h{userID: {"u"}, roomID: {""}}, carried{"u", ""}, room.ErrUnauthorized},
		"other scheme, then cookie": {"", false, h{bearer: {"Basic dTpw"}, cookie: {"lectern_passport=u"}, "Origin": origin}, carried{"u", ""}, nil},

		"two of gateway":         {"", true, h{userID: {"u", "u"}}, carried{}, errTwoPassports},
		"two rooms of gateway":   {"", true, h{userID: {"u"}, roomID: {"r", "s"}}, carried{"u", ""}, errTwoPassports},
		"two bearers":            {"", false, h{bearer: {"Bearer u", "Bearer v"}}, carried{}, errTwoPassports},
		"two schemes":            {"", false, h{bearer: {"Basic u", "Bearer v"}}, carried{}, errTwoPassports},
		"two subprotocols":       {"", true, h{protocols: {"passport.u, passport.v"}}, carried{}, errTwoPassports},
		"two in two lists":       {"", true, h{protocols: {"passport.u", "passport.v"}}, carried{}, errTwoPassports},
		"two room subprotocols":  {"", true, h{protocols: {"passport.u, room.r, room.r"}}, carried{"u", ""}, errTwoPassports},
		"two cookies":            {"", false, h{cookie: {"lectern_passport=u; lectern_passport=v"}, "Origin": origin}, carried{}, errTwoPassports},
		"two in two headers":     {"", false, h{cookie: {"lectern_passport=u", "lectern_passport=v"}, "Origin": origin}, carried{}, errTwoPassports},
		"two behind another one": {"", true, h{userID: {"u"}, bearer: {"Bearer v", "Bearer w"}}, carried{}, errTwoPassports},
		"two behind, in a list":  {"", true, h{userID: {"u"}, protocols: {"passport.v, passport.w"}}, carried{}, errTwoPassports},

		"cookie, socket, no origin":      {"", true, h{cookie: {"lectern_passport=u"}}, carried{}, nil},
		"cookie, socket, same-origin":    {"", true, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"same-origin"}}, carried{}, nil},
		"cookie, GET, origin":            {"GET", false, h{cookie: {"lectern_passport=u"}, "Origin": origin}, carried{"u", ""}, nil},
		"cookie, GET, same-origin":       {"GET", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"same-origin"}}, carried{"u", ""}, nil},
		"cookie, HEAD, same-origin":      {"HEAD", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"same-origin"}}, carried{"u", ""}, nil},
		"cookie, GET, same-site":         {"GET", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"same-site"}}, carried{}, nil},
		"cookie, GET, cross-site":        {"GET", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"cross-site"}}, carried{}, nil},
		"cookie, GET, typed in":          {"GET", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"none"}}, carried{}, nil},
		"cookie, GET, neither":           {"GET", false, h{cookie: {"lectern_passport=u"}}, carried{}, nil},
		"cookie, POST, origin":           {"POST", false, h{cookie: {"lectern_passport=u"}, "Origin": origin}, carried{"u", ""}, nil},
		"cookie, POST, same-origin":      {"POST", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"same-origin"}}, carried{}, nil},
		"cookie, DELETE, same-origin":    {"DELETE", false, h{cookie: {"lectern_passport=u"}, "Sec-Fetch-Site": {"same-origin"}}, carried{}, nil},
		"cookie of another name":         {"GET", false, h{cookie: {"Lectern_passport=u; lectern_passport2=v"}, "Origin": origin}, carried{}, nil},
		"cookie that does not count yet": {"POST", false, h{bearer: {"Bearer u"}, cookie: {"lectern_passport=a; lectern_passport=b"}}, carried{"u", ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/v1/socket?passport=q&room=q&X-User-ID=q", nil)
			r.Header = test.header
			got, err := carry(r, test.socket)
			if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err == nil && got != test.want {
				t.Fatalf("found %+v, want %+v", got, test.want)
			}
		})
	}
}
