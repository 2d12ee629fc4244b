// All that a component or a plugin may import, beside the values in model and the codecs in wire.

export type { Attributes, Plain } from '../model/attributes.ts';
export type { Batches, MetricBatch, Profile, ProfileBatch, Signal, TraceBatch } from '../model/batch.ts';
export { BatchId } from '../model/batch.ts';
export type { Columns } from '../model/columns/columns.ts';
export type { Memory, MemoryUsage, Slab } from '../model/memory.ts';
export type { OtlpAsked, OtlpReceived, OtlpSignal, OtlpWire, WireVersion } from '../model/otlp.ts';
export type { Encoding, Form, Origin, Payload } from '../model/payload.ts';
export type { Examined, Summary, ValueType } from '../model/summary.ts';
export type { Component, Consumer, QueueStorage, Sender } from './component.ts';
export * as counters from './counters.ts';
export type {
  Cloneable,
  ExporterFactory,
  ExtensionFactory,
  Factory,
  Kind,
  NoteOwner,
  ProcessorFactory,
  ReceiverFactory,
  StageFactory,
  Takes,
} from './factory.ts';
export { exporter, extension, processor, receiver, stage } from './factory.ts';
export type { Auth, Listen, OutboxConfig, ServerTls } from './fields.ts';
export * as fields from './fields.ts';
export { Secret } from './fields.ts';
export type { Clock, Health, Host, Instrument, Logger, Meter, MetricLabels, MetricOptions } from './host.ts';
export type { Body, BodyProblem, Cors, Protocol, ReadOptions, Refusal, Request, Response, Route } from './http.ts';
export { configuredHeaderProblem, headerProblem } from './http.ts';
export type { Drop, Result } from './result.ts';
export { ACCEPTED, combine } from './result.ts';
export type { Schema, SchemaIssue, SchemaResult } from './schema.ts';
export type { Stage, StageProfile, Verdict } from './stage.ts';
export { KEEP } from './stage.ts';
