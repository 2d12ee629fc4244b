package main

import (
	"context"
	"io"
	"net"
	"os"

	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
)

type Got struct {
	Signal    string           `json:"signal"`
	Resources []map[string]any `json:"resources"`
	// Samples or spans.
	Items int `json:"items"`
	// Per profile the sum of its values.
	Sums []int64 `json:"sums,omitempty"`
	// Per profile the function at the leaf of its first sample.
	Leaves []string `json:"leaves,omitempty"`
}

type profilesServer struct {
	pprofileotlp.UnimplementedGRPCServer
}

func (*profilesServer) Export(_ context.Context, request pprofileotlp.ExportRequest) (pprofileotlp.ExportResponse, error) {
	all := request.Profiles()
	got := Got{Signal: "profiles", Items: all.SampleCount()}
	for _, resource := range all.ResourceProfiles().All() {
		got.Resources = append(got.Resources, resource.Resource().Attributes().AsRaw())
		for _, scope := range resource.ScopeProfiles().All() {
			for _, profile := range scope.Profiles().All() {
				got.Sums = append(got.Sums, sum(profile))
				got.Leaves = append(got.Leaves, leaf(all.Dictionary(), profile))
			}
		}
	}
	print(got)
	return pprofileotlp.NewExportResponse(), nil
}

type tracesServer struct {
	ptraceotlp.UnimplementedGRPCServer
}

func (*tracesServer) Export(_ context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	got := Got{Signal: "traces", Items: request.Traces().SpanCount()}
	for _, resource := range request.Traces().ResourceSpans().All() {
		got.Resources = append(got.Resources, resource.Resource().Attributes().AsRaw())
	}
	print(got)
	return ptraceotlp.NewExportResponse(), nil
}

func sum(profile pprofile.Profile) int64 {
	total := int64(0)
	for _, sample := range profile.Samples().All() {
		for _, value := range sample.Values().All() {
			total += value
		}
		if sample.Values().Len() == 0 {
			total += int64(sample.TimestampsUnixNano().Len())
		}
	}
	return total
}

// Panics where an index points outside of its table, as a store would.
func leaf(dictionary pprofile.ProfilesDictionary, profile pprofile.Profile) string {
	if profile.Samples().Len() == 0 {
		return ""
	}
	stack := dictionary.StackTable().At(int(profile.Samples().At(0).StackIndex()))
	if stack.LocationIndices().Len() == 0 {
		return ""
	}
	location := dictionary.LocationTable().At(int(stack.LocationIndices().At(0)))
	if location.Lines().Len() == 0 {
		return ""
	}
	function := dictionary.FunctionTable().At(int(location.Lines().At(0).FunctionIndex()))
	return dictionary.StringTable().At(int(function.NameStrindex()))
}

// Runs until standard input ends.
func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	pprofileotlp.RegisterGRPCServer(server, &profilesServer{})
	ptraceotlp.RegisterGRPCServer(server, &tracesServer{})
	print(map[string]string{"listening": listener.Addr().String()})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); server.Stop() }()
	check(server.Serve(listener))
}
