/** Media types of bodies (RFC 9110 §8.3.1): of HTTP, and of no protocol above it. */
export const FORM_MEDIA_TYPE = "application/x-www-form-urlencoded";
export const JSON_MEDIA_TYPE = "application/json";
export const PROBLEM_MEDIA_TYPE = "application/problem+json";
