// Command load makes the calls of `npm run bench -- overload`: an open loop, which sends each call when it is due, and
// waits for no answer. It speaks as much HTTP/2 as one unary call needs, so that one core makes several hundred
// thousand calls a second.
//
//	load ADDRESS PATH BODY-FILE CONNECTIONS RATE:SECONDS...
//
// It prints what became of the calls of each step, as JSON.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoaway       = 7
	frameWindowUpdate = 8
	flagEndStream     = 1
	flagAck           = 1
	flagEndHeaders    = 4

	settingMaxStreams    = 3
	settingInitialWindow = 4
	maxWindow            = 1<<31 - 1
	defaultWindow        = 65535

	// What a client waits for: a call that has not been sent by then is given up.
	giveUpAfter = time.Second
	// What counts as in time.
	inTime = 100 * time.Millisecond
	tick   = 500 * time.Microsecond
	// After the last step, answers are awaited for so long.
	grace = 2 * time.Second
)

type outcome uint8

const (
	pending outcome = iota
	answered
	refused
	failed
)

// A call, by the times when it was due and when it ended, since the start.
type call struct {
	due, done time.Duration
	outcome   outcome
	hasData   bool
}

// A connection. Stream 2n+1 is the nth call that was sent.
type connection struct {
	mutex      sync.Mutex
	socket     net.Conn
	calls      []call
	waiting    []time.Duration
	givenUp    []time.Duration
	open       int
	maxStreams int
	window     int
	out        []byte
	first      []byte
	later      []byte
	body       []byte
	start      time.Time
}

func main() {
	if len(os.Args) < 6 {
		log.Fatal("load ADDRESS PATH BODY-FILE CONNECTIONS RATE:SECONDS...")
	}
	body, err := os.ReadFile(os.Args[3])
	check(err)
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	var connections []*connection
	for range count {
		connections = append(connections, dial(os.Args[1], os.Args[2], body))
	}
	time.Sleep(50 * time.Millisecond) // for the settings of the server
	start := time.Now()
	for _, each := range connections {
		each.start = start
		go each.read()
	}
	var ends []time.Duration
	var from time.Duration
	turn := 0
	for _, step := range os.Args[5:] {
		rateText, secondsText, _ := strings.Cut(step, ":")
		rate, err := strconv.ParseFloat(rateText, 64)
		check(err)
		seconds, err := strconv.ParseFloat(secondsText, 64)
		check(err)
		until := from + time.Duration(seconds*float64(time.Second))
		for sent := 0; ; {
			now := min(time.Since(start), until)
			for dueCalls := int((now - from).Seconds() * rate); sent < dueCalls; sent++ {
				due := from + time.Duration(float64(sent)/rate*float64(time.Second))
				each := connections[turn%count]
				each.mutex.Lock()
				each.waiting = append(each.waiting, due)
				each.mutex.Unlock()
				turn++
			}
			for _, each := range connections {
				each.send()
			}
			if now == until {
				break
			}
			time.Sleep(tick)
		}
		ends = append(ends, until)
		from = until
	}
	for deadline := time.Now().Add(grace); time.Now().Before(deadline) && anyOpen(connections); {
		for _, each := range connections {
			each.send()
		}
		time.Sleep(tick)
	}
	report(connections, ends)
}

func dial(address, path string, body []byte) *connection {
	socket, err := net.Dial("tcp", address)
	check(err)
	c := &connection{socket: socket, body: body, maxStreams: 100, window: defaultWindow}
	fields := [][2]string{
		{":path", path}, {":authority", address}, {"content-type", "application/grpc"}, {"te", "trailers"},
		{"user-agent", "load"}, {"grpc-timeout", "1S"},
	}
	c.first, c.later = []byte{0x83, 0x86}, []byte{0x83, 0x86}
	for index, field := range fields {
		// Literals that enter the table, and from then on their places in it (RFC 7541 section 6).
		c.first = append(c.first, 0x40)
		for _, text := range field {
			c.first = append(append(c.first, byte(len(text))), text...)
		}
		c.later = append(c.later, 0x80|byte(62+len(fields)-1-index))
	}
	hello := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	settings := binary.BigEndian.AppendUint32([]byte{0, settingInitialWindow}, maxWindow)
	hello = append(appendFrame(hello, frameSettings, 0, 0, len(settings)), settings...)
	hello = appendFrame(hello, frameWindowUpdate, 0, 0, 4)
	hello = binary.BigEndian.AppendUint32(hello, maxWindow-defaultWindow)
	_, err = socket.Write(hello)
	check(err)
	return c
}

// Sends what is due, as far as the server takes it.
func (c *connection) send() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.fill()
	c.flush()
}

func (c *connection) fill() {
	next := 0
	now := time.Since(c.start)
	for ; next < len(c.waiting); next++ {
		due := c.waiting[next]
		if now-due > giveUpAfter {
			c.givenUp = append(c.givenUp, due)
			continue
		}
		if c.open >= c.maxStreams || c.window < len(c.body) {
			break
		}
		id := uint32(2*len(c.calls) + 1)
		block := c.later
		if id == 1 {
			block = c.first
		}
		c.calls = append(c.calls, call{due: due})
		c.open++
		c.window -= len(c.body)
		c.out = append(appendFrame(c.out, frameHeaders, flagEndHeaders, id, len(block)), block...)
		c.out = append(appendFrame(c.out, frameData, flagEndStream, id, len(c.body)), c.body...)
	}
	c.waiting = c.waiting[next:]
}

func (c *connection) flush() {
	if len(c.out) == 0 {
		return
	}
	out := c.out
	c.out = nil
	// The other side reads whatever it is sent: this never waits for long.
	_, err := c.socket.Write(out)
	check(err)
	c.out = out[:0]
}

func (c *connection) read() {
	reader := bufio.NewReaderSize(c.socket, 256*1024)
	header := make([]byte, 9)
	payload := make([]byte, 1<<16)
	for {
		if _, err := io.ReadFull(reader, header); err != nil {
			return
		}
		length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
		if length > len(payload) {
			log.Fatal("a frame is too long")
		}
		if _, err := io.ReadFull(reader, payload[:length]); err != nil {
			return
		}
		c.mutex.Lock()
		c.take(header[3], header[4], binary.BigEndian.Uint32(header[5:])&maxWindow, payload[:length])
		// What was read together is answered together.
		if reader.Buffered() == 0 {
			c.fill()
			c.flush()
		}
		c.mutex.Unlock()
	}
}

func (c *connection) take(kind, flags byte, id uint32, payload []byte) {
	switch kind {
	case frameData, frameHeaders:
		it := &c.calls[(id-1)/2]
		if kind == frameData && len(payload) > 0 {
			it.hasData = true
		}
		if flags&flagEndStream != 0 {
			// An answer has a message; what is refused has none.
			if it.hasData {
				c.end(it, answered)
			} else {
				c.end(it, refused)
			}
		}
	case frameReset:
		if it := &c.calls[(id-1)/2]; it.outcome == pending {
			c.end(it, failed)
		}
	case frameSettings:
		if flags&flagAck != 0 {
			return
		}
		for ; len(payload) >= 6; payload = payload[6:] {
			if binary.BigEndian.Uint16(payload) == settingMaxStreams {
				c.maxStreams = int(min(binary.BigEndian.Uint32(payload[2:]), 1<<20))
			}
		}
		c.out = appendFrame(c.out, frameSettings, flagAck, 0, 0)
	case framePing:
		if flags&flagAck == 0 {
			c.out = append(appendFrame(c.out, framePing, flagAck, 0, 8), payload...)
		}
	case frameWindowUpdate:
		if id == 0 {
			c.window += int(binary.BigEndian.Uint32(payload) & maxWindow)
		}
	case frameGoaway:
		log.Fatalf("the server goes away: %q", payload[8:])
	}
}

func (c *connection) end(it *call, how outcome) {
	it.outcome = how
	it.done = time.Since(c.start)
	c.open--
}

func anyOpen(connections []*connection) bool {
	return slices.ContainsFunc(connections, func(c *connection) bool {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		return c.open > 0 || len(c.waiting) > 0
	})
}

type step struct {
	Seconds  float64 `json:"seconds"`
	Due      int     `json:"due"`
	InTime   int     `json:"inTime"`
	Answered int     `json:"answered"`
	Refused  int     `json:"refused"`
	// Reset, given up before they were sent, or never answered.
	Failed int     `json:"failed"`
	P50Ms  float64 `json:"p50Ms"`
	P99Ms  float64 `json:"p99Ms"`
	// Of those that were refused.
	RefusedP99Ms float64 `json:"refusedP99Ms"`
	// Since the step began, when the last call was due that was not answered in time.
	LastBadMs float64 `json:"lastBadMs"`
}

func report(connections []*connection, ends []time.Duration) {
	steps := make([]step, len(ends))
	took := make([][]time.Duration, len(ends))
	tookRefused := make([][]time.Duration, len(ends))
	begin := func(index int) time.Duration {
		if index == 0 {
			return 0
		}
		return ends[index-1]
	}
	count := func(it call) {
		index, found := slices.BinarySearch(ends, it.due)
		if found {
			index++
		}
		index = min(index, len(ends)-1)
		to := &steps[index]
		to.Due++
		isGood := false
		switch it.outcome {
		case answered:
			to.Answered++
			took[index] = append(took[index], it.done-it.due)
			if it.done-it.due <= inTime {
				to.InTime++
				isGood = true
			}
		case refused:
			to.Refused++
			tookRefused[index] = append(tookRefused[index], it.done-it.due)
		default:
			to.Failed++
		}
		if !isGood {
			to.LastBadMs = max(to.LastBadMs, milliseconds(it.due-begin(index)))
		}
	}
	for _, each := range connections {
		each.mutex.Lock()
		for _, it := range each.calls {
			count(it)
		}
		for _, due := range slices.Concat(each.givenUp, each.waiting) {
			count(call{due: due, outcome: failed})
		}
	}
	for index := range steps {
		steps[index].Seconds = (ends[index] - begin(index)).Seconds()
		steps[index].P50Ms, steps[index].P99Ms = percentile(took[index], 0.5), percentile(took[index], 0.99)
		steps[index].RefusedP99Ms = percentile(tookRefused[index], 0.99)
	}
	text, err := json.Marshal(steps)
	check(err)
	fmt.Println(string(text))
}

func percentile(took []time.Duration, part float64) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return milliseconds(took[int(float64(len(took)-1)*part)])
}

func milliseconds(duration time.Duration) float64 {
	return float64(duration) / float64(time.Millisecond)
}

func appendFrame(out []byte, kind, flags byte, id uint32, length int) []byte {
	out = append(out, byte(length>>16), byte(length>>8), byte(length), kind, flags)
	return binary.BigEndian.AppendUint32(out, id)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
