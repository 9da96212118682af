package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

// dialRaw connects to the public listener.
func (i *instance) dialRaw(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", i.loadTarget.url.Host, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// answerTo sends a request as it is, and returns the status of the answer.
func (i *instance) answerTo(t *testing.T, request string) int {
	t.Helper()
	conn := i.dialRaw(t)
	go io.WriteString(conn, request) // the server may close before the end
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// TestHeaderSizes: headers of 16 KiB are read, and not many more, whatever
// they are made of. net/http allows itself 4 KiB beyond its limit.
func TestHeaderSizes(t *testing.T) {
	t.Parallel()
	i := startInstance(t)
	passport := i.pass("kim", room.Student)
	request := func(path, headers string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + passport + "\r\n" + headers + "\r\n"
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	header := func(n int) string { return "X-Long: " + long(n) + "\r\n" }
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	requests := map[string]struct {
		request string
		status  int
	}{
		"as browsers send them": {request("/v1/me", header(1<<10)), http.StatusOK},
		"16 KiB":                {request("/v1/me", header(maxHeader-1<<10)), http.StatusOK},
		"21 KiB":                {request("/v1/me", header(maxHeader+5<<10)), http.StatusRequestHeaderFieldsTooLarge},
		"16 MiB":                {request("/v1/me", header(16<<20)), http.StatusRequestHeaderFieldsTooLarge},
		"many small ones":       {request("/v1/me", strings.Repeat("X: y\r\n", 1_000)), http.StatusOK},
		"too many small ones":   {request("/v1/me", strings.Repeat("X: y\r\n", 10_000)), http.StatusRequestHeaderFieldsTooLarge},
		"empty ones":            {request("/v1/me", strings.Repeat("a:\r\n", 100_000)), http.StatusRequestHeaderFieldsTooLarge},
		"long name":             {request("/v1/me", long(21<<10)+": x\r\n"), http.StatusRequestHeaderFieldsTooLarge},
		"long path":             {request("/"+long(21<<10), ""), http.StatusRequestHeaderFieldsTooLarge},
		"long method":           {long(21<<10) + request("/v1/me", ""), http.StatusRequestHeaderFieldsTooLarge},
		"long host":             {"GET /v1/me HTTP/1.1\r\nHost: " + long(12<<10) + "\r\n\r\n", http.StatusForbidden},
		"one line for ever":     {long(1 << 20), http.StatusRequestHeaderFieldsTooLarge},
		"socket":                {request("/v1/socket", upgrade), http.StatusSwitchingProtocols},
		"socket, subprotocols":  {request("/v1/socket", upgrade+"Sec-WebSocket-Protocol: lectern.v1"+strings.Repeat(",a", 5_000)+"\r\n"), http.StatusSwitchingProtocols},
		"socket, too many":      {request("/v1/socket", upgrade+"Sec-WebSocket-Protocol: lectern.v1"+strings.Repeat(",a", 12_000)+"\r\n"), http.StatusRequestHeaderFieldsTooLarge},
		"socket, extensions":    {request("/v1/socket", upgrade+"Sec-WebSocket-Extensions: permessage-deflate"+strings.Repeat("; a=b", 2_000)+"\r\n"), http.StatusSwitchingProtocols},
		"passport of 5 KiB":     {"GET /v1/me HTTP/1.1\r\nHost: localhost\r\nX-User-ID: " + passport + long(5<<10) + "\r\n\r\n", http.StatusUnauthorized},
		"many passports":        {"GET /v1/me HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-User-ID: x\r\n", 1_000) + "\r\n", http.StatusBadRequest},
		"many origins":          {request("/v1/me", strings.Repeat("Origin: http://localhost\r\n", 300)), http.StatusForbidden},
		"many cookies":          {"GET /v1/me HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nCookie: " + strings.Repeat("lectern_passport=x; ", 700) + "\r\n\r\n", http.StatusBadRequest},
		"many proxies":          {request("/v1/me", "X-Forwarded-For: "+strings.Repeat("1.2.3.4,", 1_500)+"\r\n"), http.StatusOK},
		"two lengths":           {"POST /v1/guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", http.StatusBadRequest},
		"two hosts":             {"GET /v1/me HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", http.StatusBadRequest},
		"no host":               {"GET /v1/me HTTP/1.1\r\n\r\n", http.StatusBadRequest},
	}
	for name, test := range requests {
		t.Run(name, func(t *testing.T) {
			if got := i.answerTo(t, test.request); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
		})
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d requests with headers of every size and kind: each had its exact status", len(requests))
	}
}

// TestSlowHeaders: headers that do not end in time end the connection, however
// they come, and hundreds of such connections keep nobody out.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	i := startInstance(t)
	for n := range 300 {
		if _, err := fmt.Fprintf(i.dialRaw(t), "GET /v1/socket HTTP/1.1\r\nX-%d: ", n); err != nil {
			t.Fatal(err)
		}
	}
	for name, before := range map[string]string{
		"nothing":             "",
		"half a line":         "GET /v1/me HT",
		"half the headers":    "GET /v1/me HTTP/1.1\r\nHost: localhost\r\n",
		"after whole request": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/me HTTP/1.1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := i.dialRaw(t)
			began := time.Now()
			if _, err := io.WriteString(conn, before); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			defer func() { <-ended }()
			go func() {
				defer close(ended)
				drip(conn)
			}()
			defer conn.Close()
			_, err := io.Copy(io.Discard, conn)
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				t.Fatal("the connection is still there")
			}
			if took := time.Since(began); took < headerTakesAtMost-time.Second || took > 5*headerTakesAtMost {
				t.Errorf("ended after %v", took)
			}
		})
	}
	kim := i.browse(t, i.pass("kim", room.Student))
	kim.ask("pong", `{"type":"ping"}`)
}

// drip sends a character now and then, which none of the times may start anew.
func drip(conn net.Conn) {
	for {
		<-time.After(100 * time.Millisecond)
		if _, err := io.WriteString(conn, "x"); err != nil {
			return
		}
	}
}
