package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/http2"
	"tailscale.com/control/controlhttp/controlhttpserver"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/util/zstdframe"
)

const (
	domain        = "sparkfleet.internal"
	taggedDevices = tailcfg.UserID(1) // whom tagged nodes belong to: nobody
	messageLimit  = 1 << 20
	keepAlive     = 50 * time.Second
)

var taggedUser = tailcfg.UserProfile{ID: taggedDevices, LoginName: "tagged-devices", DisplayName: "Tagged Devices"}

type machineKey struct{} // of a request's context: who speaks, as the Noise handshake proved

// protocol is the control protocol of Tailscale (tailcfg) as far as a node needs it to join and to find its peers.
type protocol struct {
	tailnet *tailnet
	relays  *tailcfg.DERPMap
	base    string
	noise   key.MachinePrivate
	inside  http.Handler // what is spoken within the Noise channel
}

func newProtocol(tailnet *tailnet, relays *tailcfg.DERPMap, base string) http.Handler {
	p := &protocol{tailnet: tailnet, relays: relays, base: base, noise: key.NewMachine()}
	inside := http.NewServeMux()
	inside.HandleFunc("POST /machine/register", p.register)
	inside.HandleFunc("POST /machine/map", p.poll)
	inside.HandleFunc("POST /machine/update-health", func(http.ResponseWriter, *http.Request) {})
	p.inside = inside
	outside := http.NewServeMux()
	outside.HandleFunc("GET /key", p.publicKey)
	outside.HandleFunc("/ts2021", p.handshake)
	return outside
}

func (p *protocol) publicKey(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(tailcfg.OverTLSPublicKeyResponse{PublicKey: p.noise.Public()})
}

func (p *protocol) handshake(w http.ResponseWriter, r *http.Request) {
	connection, err := controlhttpserver.AcceptHTTP(r.Context(), w, r, p.noise, nil)
	if err != nil {
		log.Printf("handshake with %s: %v", r.RemoteAddr, err)
		return
	}
	defer connection.Close()
	who := context.WithValue(r.Context(), machineKey{}, connection.Peer())
	var server http2.Server
	server.ServeConn(connection, &http2.ServeConnOpts{Context: who, BaseConfig: &http.Server{Handler: p.inside}})
}

// read takes a request's body into `into` and says which machine sent it.
func read(w http.ResponseWriter, r *http.Request, into any) (key.MachinePublic, bool) {
	if err := json.NewDecoder(io.LimitReader(r.Body, messageLimit)).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return key.MachinePublic{}, false
	}
	return r.Context().Value(machineKey{}).(key.MachinePublic), true
}

func (p *protocol) register(w http.ResponseWriter, r *http.Request) {
	request := &tailcfg.RegisterRequest{Hostinfo: &tailcfg.Hostinfo{}}
	who, ok := read(w, r, request)
	if !ok {
		return
	}
	if request.Followup != "" {
		<-r.Context().Done() // waits for a person at the login page; there is none here
		return
	}
	answer := tailcfg.RegisterResponse{
		MachineAuthorized: true,
		User:              tailcfg.User{ID: taggedDevices, DisplayName: taggedUser.DisplayName},
		Login:             tailcfg.Login{ID: 1, Provider: "lab", LoginName: taggedUser.LoginName},
	}
	expired, err := p.tailnet.register(who, request)
	switch {
	case errors.Is(err, errLogin):
		answer.AuthURL = p.base + "/auth"
	case err != nil:
		answer.Error = err.Error()
	}
	answer.NodeKeyExpired = expired
	log.Printf("register %q %s: expired %v, %v", request.Hostinfo.Hostname, request.NodeKey.ShortString(), expired, err)
	json.NewEncoder(w).Encode(answer)
}

// poll takes what a node tells about itself, and while it streams, sends the map at every change.
func (p *protocol) poll(w http.ResponseWriter, r *http.Request) {
	request := &tailcfg.MapRequest{}
	who, ok := read(w, r, request)
	if !ok {
		return
	}
	if !p.tailnet.hear(who, request) {
		http.Error(w, "node not found", http.StatusUnauthorized) // deleted, or its node key was replaced
		return
	}
	w.WriteHeader(http.StatusOK)
	if !request.Stream {
		return
	}
	p.tailnet.stream(who, +1)
	defer p.tailnet.stream(who, -1)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		answer, changed, more := p.tailnet.mapFor(who, request.NodeKey)
		if answer == nil {
			return // the node polls with its new key by now
		}
		answer.DERPMap = p.relays
		for again := true; again; {
			if send(w, request, answer) != nil || !more {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-changed:
				again = false
			case <-alive.C:
				answer = &tailcfg.MapResponse{KeepAlive: true}
			}
		}
	}
}

func send(w http.ResponseWriter, request *tailcfg.MapRequest, answer *tailcfg.MapResponse) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if request.Compress == "zstd" {
		body = zstdframe.AppendEncode(nil, body, zstdframe.FastestCompression)
	}
	framed := append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)
	if _, err := w.Write(framed); err != nil {
		return err
	}
	w.(http.Flusher).Flush()
	return nil
}

// hear notes what the node says of itself, and reports whether that node key may speak here.
func (t *tailnet) hear(who key.MachinePublic, request *tailcfg.MapRequest) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.machines[who]
	if m == nil || m.node.Key != request.NodeKey {
		return false
	}
	if request.Stream || request.ReadOnly { // a poll that streams says nothing new: see tailcfg.MapRequest
		return true
	}
	m.node.Endpoints, m.node.DiscoKey, m.node.Cap = request.Endpoints, request.DiscoKey, request.Version
	if request.Hostinfo != nil {
		m.node.Hostinfo = request.Hostinfo.View()
		if info := request.Hostinfo.NetInfo; info != nil && info.PreferredDERP != 0 {
			m.node.HomeDERP = info.PreferredDERP
		}
	}
	t.wakeLocked()
	return true
}

func (t *tailnet) stream(who key.MachinePublic, more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.machines[who]; m != nil {
		m.streams += more
		m.lastSeen = time.Now()
		t.wakeLocked()
	}
}

// mapFor is what a node has to know now, what closes when that changes, and whether there is more to come.
// A node that was deleted hears once more that its key has expired; one that polls with a replaced key hears nothing.
func (t *tailnet) mapFor(who key.MachinePublic, nodeKey key.NodePublic) (*tailcfg.MapResponse, <-chan struct{}, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	answer := &tailcfg.MapResponse{
		Domain: domain, ControlTime: &now, CollectServices: "false",
		PacketFilter: t.filter, UserProfiles: []tailcfg.UserProfile{taggedUser},
	}
	m := t.machines[who]
	switch {
	case m == nil:
		answer.Node = &tailcfg.Node{
			ID: -1, Key: nodeKey, Machine: who, KeyExpiry: now.Add(-time.Minute), Expired: true,
			Name: domain + ".", User: taggedDevices, MachineAuthorized: true, Addresses: []netip.Prefix{},
		}
		return answer, nil, false
	case m.node.Key != nodeKey:
		return nil, nil, false
	}
	answer.Node = m.seen(now)
	for other, peer := range t.machines {
		if other != who {
			answer.Peers = append(answer.Peers, peer.seen(now))
		}
	}
	if answer.Peers == nil {
		answer.Peers = []*tailcfg.Node{}
	}
	return answer, t.changed, true
}

// seen is the node as the map shows it.
func (m *machine) seen(now time.Time) *tailcfg.Node {
	shown := m.node.Clone()
	online, last := m.streams > 0, m.lastSeen
	shown.Online, shown.LastSeen = &online, &last
	if m.expired {
		shown.Expired, shown.KeyExpiry = true, now.Add(-time.Minute)
	}
	return shown
}
