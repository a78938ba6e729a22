/** The schemas that have names in the OpenAPI document. */
import { auditEntry, auditPage, auditVerdict } from "./audit.ts";
import { clientKeyList, clientKeyView, newClientKey } from "./client-keys.ts";
import { clientPatch, clientReplacement, clientView, newClient } from "./client-schema.ts";
import { secretList } from "./client-secrets.ts";
import { clientPage, createdClient } from "./clients.ts";
import { newResource, resourceList, resourceReplacement, resourceView } from "./resources.ts";
import { restorationView } from "./restored.ts";
import { grantRevocation, revocationList, revocationView } from "./revocations.ts";
import { newSecretView, rotationBody, secretBody, secretView } from "./secret-schema.ts";
import { rotation, signingKeyList, signingKeyView } from "./signing-keys.ts";

export const COMPONENTS = {
  Client: clientView,
  ClientPage: clientPage,
  NewClient: newClient,
  CreatedClient: createdClient,
  ClientReplacement: clientReplacement,
  ClientPatch: clientPatch,
  SecretRequest: secretBody,
  SecretRotation: rotationBody,
  NewSecret: newSecretView,
  Secret: secretView,
  SecretList: secretList,
  NewClientKey: newClientKey,
  ClientKey: clientKeyView,
  ClientKeyList: clientKeyList,
  Resource: resourceView,
  NewResource: newResource,
  ResourceReplacement: resourceReplacement,
  ResourceList: resourceList,
  SigningKey: signingKeyView,
  SigningKeyList: signingKeyList,
  KeyRotation: rotation,
  Revocation: revocationView,
  RevocationList: revocationList,
  GrantRevocation: grantRevocation,
  Restoration: restorationView,
  AuditEntry: auditEntry,
  AuditPage: auditPage,
  AuditVerdict: auditVerdict,
};
