package main

import (
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"
)

// As in functions/users/limits.ts.
const (
	maxMemoryUsers          = 2_000_000
	requestIDTTL            = 24 * time.Hour
	maxRequestIDMismatches  = 5
	maxMismatchedRequestIDs = 10_000
)

// What a sign-up may fail with.
var (
	errUsernameTaken   = errors.New("the username is taken")
	errEmailTaken      = errors.New("the e-mail address is taken")
	errUserIDTaken     = errors.New("the user id is taken")
	errRequestIDReused = errors.New("the request_id was used for another request")
	errRequestIDSpent  = errors.New("the request_id had too many other requests")
	errFull            = errors.New("the store in memory is full")
)

type account struct {
	username  string
	email     string
	userID    uint32
	createdAt time.Time
}

// signUp is a user who is to be, and the request that asks for it.
type signUp struct {
	account
	requestID   string // empty where there is none
	fingerprint [sha256.Size]byte
}

type knownRequest struct {
	fingerprint [sha256.Size]byte
	userID      uint32
	expiresAt   time.Time
}

// store keeps users in memory, and decides as functions/users/stores/memory.ts does. As nobody is removed here, no name
// is held; as nobody is listed, no names are sorted.
type store struct {
	mutex      sync.RWMutex
	byID       map[uint32]*account
	byName     map[string]*account
	byEmail    map[string]*account
	requests   map[string]knownRequest
	requestIDs []string // in the order of expiry
	mismatches map[string]int
}

func newStore() *store {
	return &store{
		byID:       map[uint32]*account{},
		byName:     map[string]*account{},
		byEmail:    map[string]*account{},
		requests:   map[string]knownRequest{},
		mismatches: map[string]int{},
	}
}

// signUp keeps a new user. A repeat of a request gets the id that the first has got.
func (s *store) signUp(it signUp) (userID uint32, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := it.createdAt
	s.forgetExpired(now)
	if it.requestID != "" {
		if s.mismatches[it.requestID] >= maxRequestIDMismatches {
			return 0, errRequestIDSpent
		}
		if first, ok := s.requests[it.requestID]; ok && first.expiresAt.After(now) {
			if first.fingerprint == it.fingerprint {
				return first.userID, nil
			}
			if len(s.mismatches) >= maxMismatchedRequestIDs {
				clear(s.mismatches)
			}
			s.mismatches[it.requestID]++
			return 0, errRequestIDReused
		}
	}
	name, email := strings.ToLower(it.username), strings.ToLower(it.email)
	if _, ok := s.byName[name]; ok {
		return 0, errUsernameTaken
	}
	if _, ok := s.byEmail[email]; ok && email != "" {
		return 0, errEmailTaken
	}
	if _, ok := s.byID[it.userID]; ok {
		return 0, errUserIDTaken
	}
	if len(s.byID) >= maxMemoryUsers {
		return 0, errFull
	}
	s.byID[it.userID] = &it.account
	s.byName[name] = &it.account
	if email != "" {
		s.byEmail[email] = &it.account
	}
	if it.requestID != "" {
		s.requests[it.requestID] = knownRequest{it.fingerprint, it.userID, now.Add(requestIDTTL)}
		s.requestIDs = append(s.requestIDs, it.requestID)
	}
	return it.userID, nil
}

// forgetExpired forgets two at most: each sign-up adds one, so that keeps up.
func (s *store) forgetExpired(now time.Time) {
	for range 2 {
		if len(s.requestIDs) == 0 || s.requests[s.requestIDs[0]].expiresAt.After(now) {
			return
		}
		delete(s.requests, s.requestIDs[0])
		s.requestIDs = s.requestIDs[1:]
	}
}

// find looks users up by name, or by id where there is none; nil stands for nobody.
func (s *store) find(names []string, ids []uint32, found []*account) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	for index, name := range names {
		if name == "" {
			found[index] = s.byID[ids[index]]
		} else {
			found[index] = s.byName[strings.ToLower(name)]
		}
	}
}
