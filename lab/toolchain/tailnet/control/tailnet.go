package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tailscale.com/net/tsaddr"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/util/rands"
)

// A machine is one node of the tailnet: known by its machine key, so that it keeps name, address and id when it logs
// in again with a new node key, as Tailscale does.
type machine struct {
	node     tailcfg.Node
	expired  bool
	streams  int // polls that are open: the node is online while there is one
	lastSeen time.Time
}

type authKey struct {
	Reusable bool     `json:"reusable"`
	Tags     []string `json:"tags"`
}

// tailnet holds who is in it and who may come in. Every change wakes all polls, which then send the whole map anew.
type tailnet struct {
	mu       sync.Mutex
	changed  chan struct{}         // closed and replaced at every change
	planned  map[string]netip.Addr // by host name
	spare    netip.Addr            // the next address for a host without a plan
	authKeys map[string]authKey
	machines map[key.MachinePublic]*machine
	refused  map[key.NodePublic]string // node key to why: "replaced" or "deleted"
	filter   []tailcfg.FilterRule      // who reaches what, for every node: all of it until somebody says otherwise
	lastID   tailcfg.NodeID
}

func newTailnet(planned map[string]netip.Addr, spare netip.Addr) *tailnet {
	return &tailnet{
		changed:  make(chan struct{}),
		planned:  planned,
		spare:    spare,
		authKeys: map[string]authKey{},
		machines: map[key.MachinePublic]*machine{},
		refused:  map[key.NodePublic]string{},
		filter:   tailcfg.FilterAllowAll,
	}
}

func (t *tailnet) wakeLocked() {
	close(t.changed)
	t.changed = make(chan struct{})
}

var errLogin = errors.New("a person has to log in")

// register decides about a node key: it is the machine's current one, or an auth key lets it in.
// It returns errLogin for one without an auth key; any other error is what the person at `tailscale up` reads.
func (t *tailnet) register(who key.MachinePublic, request *tailcfg.RegisterRequest) (expired bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.machines[who]
	if _, gone := t.refused[request.NodeKey]; gone {
		return true, nil // the client then makes a new node key, and needs a login for it
	}
	if known != nil && known.node.Key == request.NodeKey {
		if !request.Expiry.IsZero() && request.Expiry.Before(time.Now()) { // this is how a node logs out
			known.expired = true
			t.wakeLocked()
		}
		return known.expired, nil
	}
	if request.Auth == nil || request.Auth.AuthKey == "" {
		return false, errLogin
	}
	given, found := t.authKeys[request.Auth.AuthKey]
	if !found {
		return false, errors.New("invalid key: API key not valid")
	}
	tags := request.Hostinfo.RequestTags
	for _, tag := range tags {
		if !slices.Contains(given.Tags, tag) {
			return false, fmt.Errorf("requested tags [%s] are invalid or not permitted", tag)
		}
	}
	if len(tags) == 0 {
		tags = given.Tags
	}
	if known == nil {
		known = t.newMachineLocked(who, request.Hostinfo)
	} else {
		t.refused[known.node.Key] = "replaced"
	}
	if !given.Reusable {
		delete(t.authKeys, request.Auth.AuthKey)
	}
	known.node.Key, known.node.Tags, known.node.Cap, known.expired = request.NodeKey, tags, request.Version, false
	known.node.DiscoKey, known.node.Endpoints = key.DiscoPublic{}, nil
	t.wakeLocked()
	return false, nil
}

// newMachineLocked gives a machine the name it says and the address planned for that name. A second machine of the
// same name gets a number behind its name, as at Tailscale, and like every other without a plan the next spare address.
func (t *tailnet) newMachineLocked(who key.MachinePublic, info *tailcfg.Hostinfo) *machine {
	name := info.Hostname
	for n := 1; t.namedLocked(name) != nil; n++ {
		name = fmt.Sprintf("%s-%d", info.Hostname, n)
	}
	address, found := t.planned[name]
	for !found || t.takenLocked(address) {
		address, found = t.spare, true
		t.spare = t.spare.Next()
	}
	t.lastID++
	made := &machine{node: tailcfg.Node{
		ID: t.lastID, StableID: tailcfg.StableNodeID(fmt.Sprintf("lab%d", t.lastID)), User: taggedDevices,
		Name: name + "." + domain + ".", Machine: who, MachineAuthorized: true, Created: time.Now(),
		Hostinfo: info.View(),
	}}
	made.setAddress(address)
	t.machines[who] = made
	return made
}

func (m *machine) setAddress(address netip.Addr) {
	v6 := tsaddr.Tailscale4To6(address)
	m.node.Addresses = []netip.Prefix{netip.PrefixFrom(address, 32), netip.PrefixFrom(v6, 128)}
	m.node.AllowedIPs = m.node.Addresses
}

func (t *tailnet) namedLocked(name string) *machine {
	for _, m := range t.machines {
		if m.name() == name {
			return m
		}
	}
	return nil
}

func (m *machine) name() string { return m.node.Name[:len(m.node.Name)-len(domain)-2] }

func (t *tailnet) takenLocked(address netip.Addr) bool {
	for _, m := range t.machines {
		if m.node.Addresses[0].Addr() == address {
			return true
		}
	}
	return false
}

// change applies `what` to the node of that name and tells all nodes; an error when there is none.
func (t *tailnet) change(name string, what func(*machine) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := t.namedLocked(name)
	if found == nil {
		return fmt.Errorf("no node is called %q", name)
	}
	if err := what(found); err != nil {
		return err
	}
	t.wakeLocked()
	return nil
}

// remove makes the tailnet forget a node; its node key is refused from now on.
func (t *tailnet) remove(name string) error {
	return t.change(name, func(m *machine) error {
		t.refused[m.node.Key] = "deleted"
		delete(t.machines, m.node.Machine)
		return nil
	})
}

// expire ends the validity of a node's key: peers drop it, and the node has to log in again.
func (t *tailnet) expire(name string) error {
	return t.change(name, func(m *machine) error { m.expired = true; return nil })
}

// readdress gives a node another address, at once.
func (t *tailnet) readdress(name string, address netip.Addr) error {
	return t.change(name, func(m *machine) error {
		if !tsaddr.CGNATRange().Contains(address) {
			return fmt.Errorf("%s is not an address of a tailnet", address)
		}
		if m.node.Addresses[0].Addr() != address && t.takenLocked(address) {
			return fmt.Errorf("another node has %s", address)
		}
		m.setAddress(address)
		return nil
	})
}

// setFilter puts other rules in force on every node, at once. No rule at all cannot be said: tailcfg.MapResponse leaves
// an empty list out, and a node takes that for no change.
func (t *tailnet) setFilter(rules []tailcfg.FilterRule) error {
	if len(rules) == 0 {
		return errors.New("a filter has at least one rule")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.filter = rules
	t.wakeLocked()
	return nil
}

// newAuthKey makes a key that lets nodes in, and gives them its tags.
func (t *tailnet) newAuthKey(kind authKey) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	made := "tskey-auth-" + rands.HexString(32)
	t.authKeys[made] = kind
	return made
}

// revokeAuthKey reports whether there was such a key.
func (t *tailnet) revokeAuthKey(revoked string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, found := t.authKeys[revoked]
	delete(t.authKeys, revoked)
	return found
}
