package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

// balance: nginx and HAProxy, as they are configured here, pass sockets on,
// believe nobody's X-Forwarded-For, and lead past an instance that goes away.
func (s *school) balance(t *testing.T, name string, start func(*testing.T, *balancer) *process) {
	program := need(t, name)
	settings := []string{
		"LECTERN_SOCKETS_PER_ADDRESS=1", "LECTERN_TRUSTED_PROXIES=127.0.0.1/32", "LECTERN_GUESTS=true", "LECTERN_DRAIN=5s",
	}
	b := &balancer{
		school: s, program: program, folder: t.TempDir(), plain: freeAddress(t), secret: freeAddress(t),
		instances: []*instance{s.start(t, settings...), s.start(t, settings...)},
	}
	b.certify(t)
	running := start(t, b)
	eventually(t, func() string {
		if status, body := fetch(t, http.MethodGet, "http://"+b.plain+"/readyz", "", ""); status != http.StatusOK {
			return "the balancer is not ready: " + body + "\n" + running.said(t)
		}
		return ""
	})
	b.passesSockets(t)
	b.tellsOfTLS(t)
	b.believesNobody(t)
	b.leadsPastDraining(t)
}

// A balancer is one of two instances, and of the folder with what it needs.
type balancer struct {
	*school
	program, folder string
	plain, secret   string // where it listens; secret: with TLS
	instances       []*instance
	trust           *tls.Config
	callers         int // of dialFrom
}

// certify makes a certificate and its key, and who trusts it.
func (b *balancer) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shown := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, shown, shown, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	b.write(t, "lectern.crt", certificate)
	b.write(t, "lectern.pem", certificate+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	b.trust = &tls.Config{RootCAs: x509.NewCertPool()}
	b.trust.RootCAs.AppendCertsFromPEM([]byte(certificate))
}

// write puts a file into the folder and returns its path.
func (b *balancer) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(b.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configured is a configuration with the instances in place of its own.
func (b *balancer) configured(t *testing.T, file, third string) string {
	t.Helper()
	text := replace(t, source(t, file), third, "")
	for n, i := range b.instances {
		text = replace(t, text, fmt.Sprintf("lectern%d:8080", n+1), i.public)
	}
	return text
}

func startNginx(t *testing.T, b *balancer) *process {
	t.Helper()
	text := b.configured(t, "balancer/nginx.conf", "server lectern3:8080 max_fails=2 fail_timeout=2s;")
	text = replace(t, replace(t, text, "listen 8080;", "listen "+b.plain+";"), "/tmp/", b.folder+"/")
	tls := replace(t, source(t, "balancer/tls.conf"), "listen 8443", "listen "+b.secret)
	b.write(t, "tls.conf", replace(t, replace(t, tls, "tls/lectern.crt", "lectern.crt"), "tls/lectern.key", "lectern.pem"))
	return begin(t, exec.Command(b.program, "-p", b.folder, "-e", "stderr", "-c", b.write(t, "nginx.conf", text), "-g", "daemon off;"))
}

func startHAProxy(t *testing.T, b *balancer) *process {
	t.Helper()
	text := b.configured(t, "balancer/haproxy.cfg", "server lectern3 lectern3:8080")
	text = replace(t, replace(t, text, "bind :8080", "bind "+b.plain), "bind :8443", "bind "+b.secret)
	text = replace(t, text, "/etc/haproxy/", b.folder+"/")
	text = replace(t, text, "maxconn 50000", "maxconn 500") // which any limit of file descriptors allows
	return begin(t, exec.Command(b.program, "-db", "-f", b.write(t, "haproxy.cfg", text)))
}

// passesSockets: a socket is a socket on either side, with TLS and without.
func (b *balancer) passesSockets(t *testing.T) {
	t.Helper()
	for _, address := range []string{"ws://" + b.plain, "wss://" + b.secret} {
		conn := connect(t, address, b.caller(t))
		ask(t, conn, `{"id":1,"type":"ping"}`, `"id":1`)
	}
}

// caller is how somebody dials who has an address of their own.
func (b *balancer) caller(t *testing.T) dialing {
	t.Helper()
	b.callers++
	user := fmt.Sprintf("s%d", b.callers)
	return dialing{passport: b.pass(t, room.UserID(user), room.Student), from: fmt.Sprintf("127.0.1.%d", b.callers), tls: b.trust}
}

// tellsOfTLS: the cookie of a guest who comes by TLS stays there.
func (b *balancer) tellsOfTLS(t *testing.T) {
	t.Helper()
	for address, secure := range map[string]bool{"http://" + b.plain: false, "https://" + b.secret: true} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/guest", strings.NewReader(`{"name":"Kim"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Forwarded-Proto", "https") // says the client
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: b.trust, DisableKeepAlives: true}, Timeout: patience}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if cookies := answer.Cookies(); len(cookies) != 1 || cookies[0].Secure != secure {
			t.Errorf("%s: %s, with the cookies %v", address, answer.Status, cookies)
		}
	}
}

// believesNobody: whoever claims to be others counts as one. There are two
// instances, each of which takes one socket of an address.
func (b *balancer) believesNobody(t *testing.T) {
	t.Helper()
	for n := range 6 {
		d := b.caller(t)
		d.from, d.forwarded = "127.0.2.1", fmt.Sprintf("192.0.2.%d", n)
		conn := connect(t, "ws://"+b.plain, d)
		if err := answer(t, conn, `{"id":1,"type":"ping"}`, `"id":1`); websocket.CloseStatus(err) == 4003 {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("one address has six sockets on two instances that take one each")
}

// leadsPastDraining: while an instance goes away, and when it has gone, all
// come to the other.
func (b *balancer) leadsPastDraining(t *testing.T) {
	t.Helper()
	leaving := b.instances[0]
	for range 8 { // of which it has some, so that it takes a moment
		connect(t, "ws://"+b.plain, b.caller(t))
	}
	leaving.tell(syscall.SIGTERM)
	var unready bool
	for after := 0; after < 20; {
		if status, _ := fetch(t, http.MethodGet, "http://"+leaving.public+"/readyz", "", ""); status == http.StatusServiceUnavailable {
			unready = true
		}
		conn, err := dial(t, "ws://"+b.plain, b.caller(t))
		if err != nil {
			t.Fatalf("while an instance leaves: %v", err)
		}
		conn.CloseNow()
		select {
		case <-leaving.ended:
			after++
		default:
		}
	}
	if !unready {
		t.Error("the instance has left before anyone could see it")
	}
}
