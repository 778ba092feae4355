package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"google.golang.org/grpc/credentials"

	"github.com/plumbline/plumbline/apps/greeter-go/internal/config"
)

// certificates checks its files at each handshake and reads them again when they have changed.
// Files that cannot be used are logged, and the last good ones stay.
type certificates struct {
	files   config.TLS
	log     *slog.Logger
	mutex   sync.Mutex
	read    string // Times and sizes of the files when they were read.
	current *tls.Config
}

// transport returns TLS credentials from the files, which must be valid at the start.
func transport(files config.TLS, log *slog.Logger) (credentials.TransportCredentials, error) {
	c := &certificates{files: files, log: log, read: look(files)}
	current, err := load(files)
	if err != nil {
		return nil, err
	}
	c.current = current
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: c.forClient}), nil
}

func (c *certificates) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if now := look(c.files); now != c.read {
		c.read = now
		if next, err := load(c.files); err != nil {
			c.log.Warn("changed certificates are invalid; keeping the last valid ones", "problems", err.Error())
		} else {
			c.current = next
		}
	}
	return c.current, nil
}

func load(files config.TLS) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(files.CertificateFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the pair %s, %s cannot be used: %w", files.CertificateFile, files.KeyFile, err)
	}
	loaded := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if files.ClientCAFile == "" {
		return loaded, nil
	}
	authorities, err := os.ReadFile(files.ClientCAFile)
	if err != nil {
		return nil, err
	}
	loaded.ClientCAs = x509.NewCertPool()
	loaded.ClientAuth = tls.RequireAndVerifyClientCert
	if !loaded.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s: no certificates in PEM", files.ClientCAFile)
	}
	return loaded, nil
}

// look returns the times and sizes of the files. It is cheap, and differs after a file was
// replaced.
func look(files config.TLS) string {
	seen := ""
	for _, path := range []string{files.CertificateFile, files.KeyFile, files.ClientCAFile} {
		if info, err := os.Stat(path); err == nil {
			seen += fmt.Sprintf("%d %d;", info.ModTime().UnixNano(), info.Size())
		} else {
			seen += "none;"
		}
	}
	return seen
}
