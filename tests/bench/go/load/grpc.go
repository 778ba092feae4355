package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// greeter.v1.HelloRequest{name: "Ada"} as a gRPC message: not compressed, five bytes.
var hello = []byte{0, 0, 0, 0, 5, 0x0a, 3, 'A', 'd', 'a'}

const path = "/greeter.v1.Greeter/SayHello"

// loadGRPC keeps a number of concurrent calls (streams) on each of a number of connections (conns).
func loadGRPC(o options) ([]*result, error) {
	conns := make([]*conn, o.conns)
	for i := range conns {
		c, err := dial(o, o.address(i))
		if err != nil {
			return nil, err
		}
		defer c.net.Close()
		conns[i] = c
	}
	start := time.Now()
	end := start.Add(o.duration)
	var wait sync.WaitGroup
	results := make([]*result, o.conns)
	for i, c := range conns {
		results[i] = &c.result
		c.end = end
		_ = c.net.SetReadDeadline(end.Add(5 * time.Second))
		wait.Go(c.read)
		if o.rate == 0 {
			c.lock.Lock()
			for range o.streams {
				c.call(time.Now())
			}
			c.flush()
			c.lock.Unlock()
		}
	}
	if o.rate > 0 {
		pace(conns, o, start, end)
	}
	wait.Wait()
	return results, nil
}

// pace starts each call when it is due, in turn over the connections, without waiting for others.
func pace(conns []*conn, o options, start, end time.Time) {
	next := 0
	paced(o.rate, start, end, func(due time.Time) {
		c := conns[next%len(conns)]
		next++
		c.lock.Lock()
		c.call(due)
		c.flush()
		c.lock.Unlock()
	})
	for _, c := range conns {
		c.lock.Lock()
		c.closing = true
		c.hangUpIfDone()
		c.lock.Unlock()
	}
}

type conn struct {
	result
	options options
	address string
	net     net.Conn
	end     time.Time
	reader  *bufio.Reader
	framer  *http2.Framer

	lock    sync.Mutex // Guards the fields below, which the reader and pace use.
	writer  *bufio.Writer
	headers *hpack.Encoder
	block   bytes.Buffer
	next    uint32
	due     map[uint32]started
	window  int64 // The bytes that we may still send on this connection.
	closing bool  // No call will follow.
}

func dial(o options, address string) (*conn, error) {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &conn{options: o, address: address, net: socket, next: 1, due: map[uint32]started{}, window: 65_535}
	c.reader = bufio.NewReaderSize(socket, 32<<10)
	c.writer = bufio.NewWriterSize(socket, 32<<10)
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.SetReuseFrames()
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.headers = hpack.NewEncoder(&c.block)
	_, _ = c.writer.WriteString(http2.ClientPreface)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	_ = c.framer.WriteWindowUpdate(0, 1<<30) // Responses are small: this window is enough for the whole run.
	return c, c.writer.Flush()
}

// call writes one request.
func (c *conn) call(due time.Time) {
	if c.window < int64(len(hello)) {
		c.fail("the server's window is closed")
		return
	}
	c.window -= int64(len(hello))
	c.block.Reset()
	for _, field := range [...]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: c.address}, {Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"}, {Name: "user-agent", Value: "load/1"}, {Name: "grpc-timeout", Value: "5S"},
	} {
		_ = c.headers.WriteField(field)
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: c.block.Bytes(), EndHeaders: true})
	_ = c.framer.WriteData(c.next, true, hello)
	c.due[c.next] = started{due, c.options.sentAt()}
	c.next += 2
}

func (c *conn) flush() { _ = c.writer.Flush() }

func (c *conn) read() {
	for {
		frame, err := c.framer.ReadFrame()
		c.lock.Lock()
		if err == nil {
			err = c.take(frame)
		}
		if err == nil && c.reader.Buffered() == 0 {
			c.flush()
		}
		over := c.closing && len(c.due) == 0
		if err != nil && !over {
			c.fail(err.Error())
		}
		c.lock.Unlock()
		if err != nil || over {
			return
		}
	}
}

func (c *conn) take(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		for _, field := range f.Fields {
			if field.Name == "grpc-status" && field.Value != "0" {
				c.fail("grpc-status " + field.Value)
				delete(c.due, f.StreamID)
			}
		}
		if f.StreamEnded() {
			c.answered(f.StreamID)
		}
	case *http2.DataFrame:
		if f.StreamEnded() {
			return errors.New("a call ended without a status")
		}
	case *http2.RSTStreamFrame:
		c.fail(fmt.Sprintf("stream reset: %v", f.ErrCode))
		delete(c.due, f.StreamID)
		c.answered(f.StreamID)
	case *http2.SettingsFrame:
		if !f.IsAck() {
			if size, set := f.Value(http2.SettingHeaderTableSize); set {
				c.headers.SetMaxDynamicTableSizeLimit(size)
			}
			return c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		}
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server goes away: %v", f.ErrCode)
	}
	return nil
}

func (c *conn) answered(stream uint32) {
	now := time.Now()
	if call, known := c.due[stream]; known {
		c.answer(c.options, call, now)
		delete(c.due, stream)
	}
	if c.options.rate > 0 {
		return
	}
	if now.Before(c.end) {
		c.call(now)
	} else {
		c.closing = true
	}
}

// hangUpIfDone wakes a reader that has no more response to wait for.
func (c *conn) hangUpIfDone() {
	if len(c.due) == 0 {
		_ = c.net.SetReadDeadline(time.Now())
	}
}
