/**
 * What authentication asks of trust (docs/protocol.md §8): whether an assertion is one of a trusted issuer,
 * and which client it makes. Authentication knows no rule, and trust knows no request.
 */
import type { Ext, Workload } from "@daykey/common/access-token";
import type { Client } from "../clients/client.ts";
import type { JwtAssertion } from "./client-assertion.ts";
import type { Nonce } from "./replay-store.ts";

/** Where an assertion came in. All doors lead to the same rules. */
export type WorkloadDoor = "client_assertion" | "jwt_spiffe" | "grant" | "id_jag";

/** An assertion of a trusted issuer, unchecked. */
export interface WorkloadCredential {
  via: "workload";
  door: WorkloadDoor;
  /** The client that is asked for, where one is. */
  clientId: string | undefined;
  /** Undefined when it is not written as one. */
  assertion: JwtAssertion | undefined;
}

/** What a rule lets in. */
export interface Admitted {
  client: Client;
  /** What its tokens name as their credential. */
  cred: string;
  scopes: readonly string[];
  resources: readonly string[];
  /** The longest life of an access token, where the rule says one. */
  accessTokenSeconds: number | undefined;
  workload: Workload;
  /** Claims for services. */
  ext: Ext;
  /** To be used up; undefined where assertions are good more than once. */
  nonce: Nonce | undefined;
}

/** Why nothing is let in. */
export interface NotAdmitted {
  /** For the log. */
  reason: string;
  /** Whether the issuer's signature was right: whoever sent it is no stranger. */
  isProven: boolean;
}

export interface Workloads {
  /** Whether any issuer is trusted; without one the grant type does not exist. */
  isOpen(): boolean;
  /** Whether one of JWT-SVIDs is; without one that type of assertion does not exist. */
  isOpenToSpiffe(): boolean;
  /** Whether assertions with this `iss` are a trusted issuer's to make. */
  knows(iss: string): boolean;
  /**
   * The only resources that a rule lets its workloads go to, by what their tokens name as their credential;
   * undefined where no such rule is there, or it has no such limit.
   */
  resourcesOf(clientId: string, cred: string): readonly string[] | undefined;
  /** The name of the issuer that a credential claims to be of, if that one is trusted. Asks nobody. */
  issuerOf(credential: WorkloadCredential): string | undefined;
  /**
   * What a credential makes its holder. Logs nothing and uses nothing up.
   * @param note is told what a log line may say
   * @throws {OAuthError} temporarily_unavailable when the issuer's keys cannot be had
   * @throws as `ClientCache.find`
   */
  admit(
    credential: WorkloadCredential,
    note: (fields: object) => void,
  ): Promise<Admitted | NotAdmitted>;
}
