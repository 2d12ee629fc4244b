// OTLP by the Collector's own data module. `send GRPC HTTP` reads what to send from standard input, one JSON object a line, and
// prints each answer; `serve` is a store that prints what it got, as its own decoder reads it.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

const (
	profilesRPC = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
	tracesRPC   = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
)

type Order struct {
	Name   string `json:"name"`
	Signal string `json:"signal"`
	// grpc or http.
	By   string `json:"by"`
	JSON bool   `json:"json"`
	Gzip bool   `json:"gzip"`
	// Without file and raw, a request that pdata makes: one profile or span that carries this value.
	Value int64 `json:"value"`
	// A protobuf request that pdata reads and writes anew.
	File string `json:"file"`
	// Sent as it is.
	Raw []byte `json:"raw"`
	// Instead of the path of the signal, over gRPC or HTTP.
	Path string `json:"path"`
}

type exchanged interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
	UnmarshalProto([]byte) error
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (rawCodec) Name() string                       { return "proto" }

func main() {
	if os.Args[1] == "serve" {
		serve()
		return
	}
	conn, err := grpc.NewClient(os.Args[2], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var order Order
		check(json.Unmarshal(lines.Bytes(), &order))
		answer := Answer{Name: order.Name}
		if err := carryOut(order, conn, os.Args[3], &answer); err != nil {
			answer.Failure = err.Error()
		}
		print(answer)
	}
	check(lines.Err())
}

func carryOut(order Order, conn *grpc.ClientConn, url string, answer *Answer) error {
	request, err := requestOf(order)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if order.By == "http" {
		return byHTTP(ctx, order, request, url, answer)
	}
	return byGRPC(ctx, order, request, conn, answer)
}

func requestOf(order Order) (exchanged, error) {
	if order.Raw != nil {
		return nil, nil
	}
	if order.Signal == "traces" {
		request := ptraceotlp.NewExportRequestFromTraces(traces(order.Value))
		if order.File != "" {
			return request, read(order.File, request)
		}
		return request, nil
	}
	request := pprofileotlp.NewExportRequestFromProfiles(profiles(order.Value))
	if order.File != "" {
		return request, read(order.File, request)
	}
	return request, nil
}

func read(file string, request exchanged) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return request.UnmarshalProto(data)
}

func byGRPC(ctx context.Context, order Order, request exchanged, conn *grpc.ClientConn, answer *Answer) error {
	var options []grpc.CallOption
	if order.Gzip {
		options = append(options, grpc.UseCompressor("gzip"))
	}
	var err error
	switch request := request.(type) {
	case pprofileotlp.ExportRequest:
		var response pprofileotlp.ExportResponse
		if response, err = pprofileotlp.NewGRPCClient(conn).Export(ctx, request, options...); err == nil {
			answer.profiles(response)
		}
	case ptraceotlp.ExportRequest:
		var response ptraceotlp.ExportResponse
		if response, err = ptraceotlp.NewGRPCClient(conn).Export(ctx, request, options...); err == nil {
			answer.traces(response)
		}
	default:
		path := profilesRPC
		if order.Signal == "traces" {
			path = tracesRPC
		}
		if order.Path != "" {
			path = order.Path
		}
		var response []byte
		if err = conn.Invoke(ctx, path, &order.Raw, &response, append(options, grpc.ForceCodec(rawCodec{}))...); err == nil {
			err = answer.protobuf(order.Signal, response)
		}
	}
	answer.status(status.Convert(err).Proto())
	return nil
}

func byHTTP(ctx context.Context, order Order, request exchanged, url string, answer *Answer) error {
	body, contentType := order.Raw, "application/x-protobuf"
	var err error
	if order.JSON {
		contentType = "application/json"
	}
	if request != nil {
		if order.JSON {
			body, err = request.MarshalJSON()
		} else {
			body, err = request.MarshalProto()
		}
		if err != nil {
			return err
		}
	}
	if order.Gzip {
		var zipped bytes.Buffer
		writer := gzip.NewWriter(&zipped)
		_, err = writer.Write(body)
		if err = firstOf(err, writer.Close()); err != nil {
			return err
		}
		body = zipped.Bytes()
	}
	path := "/v1development/profiles"
	if order.Signal == "traces" {
		path = "/v1/traces"
	}
	if order.Path != "" {
		path = order.Path
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	post.Header.Set("Content-Type", contentType)
	if order.Gzip {
		post.Header.Set("Content-Encoding", "gzip")
	}
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	answer.HTTPStatus = response.StatusCode
	answer.ContentType = response.Header.Get("Content-Type")
	answer.RetryAfter = response.Header.Get("Retry-After")
	return answer.http(order, said)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func print(value any) {
	line, err := json.Marshal(value)
	check(err)
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
