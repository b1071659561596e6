/**
 * What the pages need to know of where they are hosted: docs/frontends.md. Addresses only, never a key.
 * The origins of `api`, of the storage account and of `authority` stand in the policy of each page as well.
 */
export const config = {
  api: "https://api.example.com/api",
  signIn: "entra",
  entra: {
    authority: "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000",
    clientId: "00000000-0000-0000-0000-000000000000",
    scope: "api://00000000-0000-0000-0000-000000000000/user_impersonation",
  },
  maxFileMB: 50,
  formBelowMB: 3,
};
