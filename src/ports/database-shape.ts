/** What the tables of a database really are, whatever release made them. The same for both databases. */
export interface DatabaseShape {
  /** In an order in which rows can be written without one that refers to what is not there yet. */
  readonly tables: readonly TableShape[];
  /** Names of the migrations that were done, in their order. Their own table is not among `tables`. */
  readonly migrations: readonly string[];
}

export interface TableShape {
  readonly name: string;
  readonly columns: readonly ColumnShape[];
  readonly primaryKey: readonly string[];
}

export interface ColumnShape {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

export type ColumnType = 'integer' | 'real' | 'text' | 'bytes' | 'boolean' | 'json' | 'address';
