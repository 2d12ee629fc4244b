package main

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// One resource with one profile of one sample: two frames, an attribute, a link, a value.
func profiles(value int64) pprofile.Profiles {
	made := pprofile.NewProfiles()
	dictionary := made.Dictionary()
	dictionary.StringTable().Append("", "cpu", "nanoseconds", "main", "work", "thread.name", "app.go")
	dictionary.MappingTable().AppendEmpty()
	dictionary.LinkTable().AppendEmpty()
	link := dictionary.LinkTable().AppendEmpty()
	link.SetTraceID(pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	link.SetSpanID(pcommon.SpanID{1, 2, 3, 4, 5, 6, 7, 8})
	dictionary.FunctionTable().AppendEmpty()
	dictionary.LocationTable().AppendEmpty()
	for row, name := range []int32{3, 4} {
		function := dictionary.FunctionTable().AppendEmpty()
		function.SetNameStrindex(name)
		function.SetFilenameStrindex(6)
		line := dictionary.LocationTable().AppendEmpty().Lines().AppendEmpty()
		line.SetFunctionIndex(int32(row + 1))
		line.SetLine(int64(10 * (row + 1)))
	}
	dictionary.StackTable().AppendEmpty()
	dictionary.StackTable().AppendEmpty().LocationIndices().FromRaw([]int32{2, 1})
	dictionary.AttributeTable().AppendEmpty()
	attribute := dictionary.AttributeTable().AppendEmpty()
	attribute.SetKeyStrindex(5)
	attribute.Value().SetStr("worker-1")

	resource := made.ResourceProfiles().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop.go")
	resource.Resource().Attributes().PutInt("process.pid", 4711)
	scope := resource.ScopeProfiles().AppendEmpty()
	scope.Scope().SetName("flamegate.test")
	profile := scope.Profiles().AppendEmpty()
	profile.SampleType().SetTypeStrindex(1)
	profile.SampleType().SetUnitStrindex(2)
	profile.PeriodType().SetTypeStrindex(1)
	profile.PeriodType().SetUnitStrindex(2)
	profile.SetPeriod(10_000_000)
	profile.SetTime(pcommon.NewTimestampFromTime(time.Now()))
	profile.SetDurationNano(10_000_000_000)
	profile.SetProfileID(pprofile.ProfileID{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9})
	sample := profile.Samples().AppendEmpty()
	sample.SetStackIndex(1)
	sample.SetLinkIndex(1)
	sample.AttributeIndices().FromRaw([]int32{1})
	sample.Values().FromRaw([]int64{value})
	return made
}

func traces(value int64) ptrace.Traces {
	made := ptrace.NewTraces()
	resource := made.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "shop.go")
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /car")
	span.SetTraceID(pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	span.SetSpanID(pcommon.SpanID{1, 2, 3, 4, 5, 6, 7, 8})
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	span.Attributes().PutInt("value", value)
	return made
}
