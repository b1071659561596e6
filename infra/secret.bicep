// The secret that holds the refresh token, and the app's role on it. postdeploy.py creates the secret once only:
// each deployment that wrote it would hide the token behind a new version.
param vaultName string
param identityName string
param create bool

var names = loadJsonContent('names.json')
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (create) {
  parent: vault
  name: names.refreshTokenSecret
  properties: {
    contentType: 'placeholder: no consent yet'
    value: 'no-consent-yet'
  }
}

// Officer, not User: the app writes the token that each sign-in gives it.
// https://learn.microsoft.com/en-us/azure/key-vault/general/rbac-guide
resource appKeepsToken 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(secret.id, identity.id, secretsOfficer)
  scope: secret
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}
