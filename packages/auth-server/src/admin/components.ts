/** The schemas that have names in the OpenAPI document. */
import {
  apiKeyList,
  apiKeyRotation,
  apiKeyView,
  ed25519Jwk,
  newApiKey,
  newApiKeyView,
  newEd25519Key,
  newHmacKey,
  newSignatureKey,
  newSignatureKeyView,
  signatureKeyList,
  signatureKeyRotation,
  signatureKeyView,
} from "./access-key-schema.ts";
import { auditEntry, auditPage, auditVerdict } from "./audit.ts";
import {
  clientKeyList,
  clientKeyView,
  heldKeyPage,
  heldKeyView,
  newClientKey,
} from "./client-keys.ts";
import { clientPatch, clientReplacement, clientView, newClient } from "./client-schema.ts";
import { secretList } from "./client-secrets.ts";
import { clientPage, createdClient } from "./clients.ts";
import { consoleLink } from "./console-links.ts";
import { endingSecretPage, endingSecretView } from "./ending-secrets.ts";
import { labelPage, labelledList, labelView } from "./labels.ts";
import { quotaList } from "./quota-schema.ts";
import { newResource, resourceList, resourceReplacement, resourceView } from "./resources.ts";
import { restorationView } from "./restored.ts";
import { grantEnd, grantRevocation, revocationList, revocationView } from "./revocations.ts";
import {
  KINDS,
  newSecretView,
  ROTATION_KINDS,
  rotationBody,
  secretBody,
  secretView,
} from "./secret-schema.ts";
import { tokenExplanation, tokenToExplain } from "./tokens.ts";
import { explainRequest, explanationView } from "./trust-rules.ts";
import {
  conditionView,
  issuerPage,
  issuerReplacement,
  issuerView,
  newIssuer,
  newRule,
  rulePage,
  ruleReplacement,
  ruleView,
} from "./trust-schema.ts";
import { usagePage, usageView } from "./usage.ts";
import { rotation, signingKeyList, signingKeyView } from "./signing-keys.ts";

export const COMPONENTS = {
  Client: clientView,
  ClientPage: clientPage,
  NewClient: newClient,
  CreatedClient: createdClient,
  ClientReplacement: clientReplacement,
  ClientPatch: clientPatch,
  SecretRequest: secretBody,
  GeneratedSecretRequest: KINDS[0],
  ChosenSecretRequest: KINDS[1],
  VerifiersRequest: KINDS[2],
  ImportedSecretRequest: KINDS[3],
  SecretRotation: rotationBody,
  GeneratedSecretRotation: ROTATION_KINDS[0],
  ChosenSecretRotation: ROTATION_KINDS[1],
  VerifiersRotation: ROTATION_KINDS[2],
  ImportedSecretRotation: ROTATION_KINDS[3],
  NewSecret: newSecretView,
  Secret: secretView,
  SecretList: secretList,
  ConsoleLink: consoleLink,
  EndingSecret: endingSecretView,
  EndingSecretPage: endingSecretPage,
  NewClientKey: newClientKey,
  NewClientJwk: newClientKey.shape.jwk,
  ClientKey: clientKeyView,
  ClientJwk: clientKeyView.shape.jwk,
  ClientKeyList: clientKeyList,
  HeldClientKey: heldKeyView,
  HeldClientKeyPage: heldKeyPage,
  ApiKey: apiKeyView,
  NewApiKey: newApiKey,
  CreatedApiKey: newApiKeyView,
  ApiKeyRotation: apiKeyRotation,
  ApiKeyList: apiKeyList,
  SignatureKey: signatureKeyView,
  NewSignatureKey: newSignatureKey,
  NewHmacKey: newHmacKey,
  NewEd25519Key: newEd25519Key,
  Ed25519Jwk: ed25519Jwk,
  CreatedSignatureKey: newSignatureKeyView,
  SignatureKeyRotation: signatureKeyRotation,
  SignatureKeyList: signatureKeyList,
  QuotaList: quotaList,
  Label: labelView,
  LabelPage: labelPage,
  LabelledList: labelledList,
  Resource: resourceView,
  NewResource: newResource,
  ResourceReplacement: resourceReplacement,
  ResourceList: resourceList,
  TrustedIssuer: issuerView,
  TrustedIssuerPage: issuerPage,
  NewTrustedIssuer: newIssuer,
  TrustedIssuerReplacement: issuerReplacement,
  TrustCondition: conditionView,
  TrustRule: ruleView,
  TrustRulePage: rulePage,
  NewTrustRule: newRule,
  TrustRuleReplacement: ruleReplacement,
  TrustQuestion: explainRequest,
  TrustExplanation: explanationView,
  SigningKey: signingKeyView,
  SigningKeyList: signingKeyList,
  KeyRotation: rotation,
  Revocation: revocationView,
  RevocationList: revocationList,
  TokenToExplain: tokenToExplain,
  TokenExplanation: tokenExplanation,
  GrantRevocation: grantRevocation,
  GrantEnd: grantEnd,
  Restoration: restorationView,
  Usage: usageView,
  UsagePage: usagePage,
  AuditEntry: auditEntry,
  AuditPage: auditPage,
  AuditVerdict: auditVerdict,
};
