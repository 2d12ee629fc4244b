import { grown } from './growth.ts';
import { Links } from './links.ts';
import type { Observations } from './observations.ts';

/** An instrumentation scope; strings are rows, attributes a chain of labels. */
export interface ScopeRows {
  /** Which of the resource's scopes it is. */
  readonly index: number;
  readonly name: number;
  readonly version: number;
  readonly firstAttribute: number;
  readonly droppedAttributes: number;
  readonly schemaUrl: number;
}

/** What a Profile says that is one sample type of the columns. */
export interface TypeFields {
  readonly profileId: Uint8Array | undefined;
  readonly payloadFormat: string;
  readonly payload: Uint8Array | undefined;
}

const NO_ROWS: Uint32Array = new Uint32Array(0);

/** What OTLP says and pprof has no place for. A profile that came as pprof has no such object. */
export class OtlpFields {
  readonly links = new Links();
  /** Row of links by sample; 0 for none. */
  link = new Uint32Array(8) as Uint32Array;
  /** Of a profile that came as OTLP. */
  observations: Observations | undefined;
  /**
   * The rows of the source's dictionary that mappings and locations came from, 0 for none: their attributes are read there when they are
   * written. Rows that were added later lie beyond the end.
   */
  mappingRows = NO_ROWS;
  locationRows = NO_ROWS;
  scope: ScopeRows | undefined;
  /** Attributes of the profile, a chain of labels. */
  firstAttribute = 0;
  droppedAttributes = 0;
  /** By sample type. */
  types: TypeFields[] = [];
  /** The sample types in the order of their Profiles. */
  order: number[] = [];
  /** Of the resource. */
  schemaUrl = 0;
  resourceDroppedAttributes = 0;
  /** Fields of the resource beside its attributes and their count, as they came: entities. */
  resourceFields: Uint8Array[] = [];
  /** Attributes of mappings and locations that pprof has no field for. */
  mappingAttributes = 0;
  locationAttributes = 0;
  /** Fields that the schema does not have. They are not kept. */
  unknownFields = 0;

  get heldBytes(): number {
    const rows = this.link.byteLength + this.mappingRows.byteLength + this.locationRows.byteLength;
    return rows + this.links.ids.length + (this.observations?.heldBytes ?? 0);
  }

  /** Makes room for the links of `count` samples. */
  ensureSamples(count: number): void {
    this.link = grown(this.link, count);
  }

  /** Moves sample `from` to place `to`, which is not behind it. */
  move(from: number, to: number, width: number): void {
    this.link[to] = this.link[from]!;
    const { observations } = this;
    if (observations) for (let at = 0; at < width; at++) observations.move(from * width + at, to * width + at);
  }

  /** Gives an added location the attributes of another. */
  inherit(from: number, to: number): void {
    if (from >= this.locationRows.length) return;
    this.locationRows = grown(this.locationRows, to + 1);
    this.locationRows[to] = this.locationRows[from]!;
  }

  /** Forgets what only the source says of a mapping or location; true where there was something. */
  forget(holder: 'mapping' | 'location', row: number): boolean {
    const rows = holder === 'mapping' ? this.mappingRows : this.locationRows;
    if (row >= rows.length || rows[row] === 0) return false;
    rows[row] = 0;
    return true;
  }
}
