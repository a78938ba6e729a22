/** A grant: what one successful authentication opens (docs/protocol.md §2). Opening one writes nothing. */
export interface Grant {
  /** UUIDv7. */
  id: string;
  clientId: string;
  /** The client's epoch when the grant was opened. */
  epoch: number;
  /** The kid of the credential that opened it. */
  credential: string;
  /** The most it may be used for; each token is for one resource and what of this fits it. */
  scope: readonly string[];
  /** Resource URIs; the first is the one the grant was opened for. */
  resources: readonly string[];
  /** Its absolute end, epoch seconds. */
  expiresAt: number;
}
