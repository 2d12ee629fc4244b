/**
 * A config schema: any Standard Schema (https://standardschema.dev, version 1) that can also print JSON Schema. zod 4 does;
 * plugins may bring another library. Structural on purpose: nothing here imports one.
 */
export interface Schema<C> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<C> | Promise<SchemaResult<C>>;
    readonly jsonSchema?: {
      readonly input: (options: {
        target: 'draft-2020-12';
        libraryOptions?: Record<string, unknown>;
      }) => Record<string, unknown>;
    };
    readonly types?: { readonly input: unknown; readonly output: C } | undefined;
  };
}
export type SchemaResult<C> =
  | { readonly value: C; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
