package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// loadHTTP keeps one request at a time on each of conns × streams connections, over HTTP/1.1.
func loadHTTP(o options) ([]*result, error) {
	results := make([]*result, o.conns*o.streams)
	var wait sync.WaitGroup
	// It has room for all calls: they may be due while every connection has one without an answer.
	dues := make(chan time.Time, max(1, int(float64(o.rate)*o.duration.Seconds())+1))
	start := time.Now()
	end := start.Add(o.duration)
	for i := range results {
		conn, err := net.Dial("tcp", o.address(i))
		if err != nil {
			return nil, err
		}
		results[i] = &result{}
		wait.Go(func() {
			defer conn.Close()
			requests(conn, o, o.address(i), results[i], end, dues)
		})
	}
	if o.rate > 0 {
		paced(o.rate, start, end, func(due time.Time) { dues <- due })
		close(dues)
	}
	wait.Wait()
	return results, nil
}

func requests(conn net.Conn, o options, address string, r *result, end time.Time, dues <-chan time.Time) {
	request := []byte("GET /v1/greetings/Ada HTTP/1.1\r\nHost: " + address + "\r\nAccept: application/json\r\n" + o.credentials + "\r\n")
	reader := bufio.NewReader(conn)
	_ = conn.SetDeadline(end.Add(5 * time.Second))
	for {
		free := time.Now()
		due, more := free, free.Before(end)
		if o.rate > 0 {
			due, more = <-dues
		}
		if !more {
			return
		}
		sent := o.sentAt()
		if free.After(due) {
			sent = due // It waited for the server: every connection had a call without an answer.
		}
		if _, err := conn.Write(request); err != nil {
			r.fail(err.Error())
			return
		}
		status, err := readAnswer(reader)
		if err != nil {
			r.fail(err.Error())
			return
		}
		if status != 200 {
			r.fail(fmt.Sprintf("status %d", status))
			continue
		}
		r.answer(o, started{due, sent}, time.Now())
	}
}

var (
	lengthName  = []byte("content-length:")
	chunkedName = []byte("transfer-encoding: chunked")
)

func readAnswer(reader *bufio.Reader) (int, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, errors.New("no status line")
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if len(line) > len(lengthName) && bytes.EqualFold(line[:len(lengthName)], lengthName) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthName):]))); err != nil {
				return 0, err
			}
		}
		chunked = chunked || bytes.EqualFold(line, chunkedName)
	}
	for chunked {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return 0, err
		}
		if _, err := io.CopyN(io.Discard, reader, size+2); err != nil {
			return 0, err
		}
		chunked = size > 0
	}
	_, err = reader.Discard(length)
	return status, err
}
