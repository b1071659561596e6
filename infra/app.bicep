// The Flex Consumption plan and the app on it, with its settings.
// https://learn.microsoft.com/en-us/azure/azure-functions/flex-consumption-how-to
// Settings that Flex Consumption does not take: https://learn.microsoft.com/en-us/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
param location string
param tags object
param token string
param identityName string
param vaultName string
param documentsAccountName string
param hostAccountName string
param packageContainer string
param insightsName string
param instanceMemoryMB int
param maximumInstanceCount int
@description('Client id of the registration that callers sign in to; empty: callers show keys.')
param signInClientId string
param settings object

var names = loadJsonContent('names.json')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource documents 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: documentsAccountName
}

resource host 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: hostAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: 'func-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${host.properties.primaryEndpoints.blob}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        // Without the first the blob extension never starts, and its key never exists; without the second a
        // message with a delay waits for the platform to look at the queue.
        alwaysReady: [
          {
            name: 'blob'
            instanceCount: 1
          }
          {
            name: 'function:${names.functions.work}'
            instanceCount: 1
          }
        ]
        triggers: {
          http: {
            perInstanceConcurrency: names.requestsPerInstance
          }
        }
      }
    }
  }
}

// In front of the app where callers sign in. Who is not signed in is let through and refused by the app, so that
// pages can read the answer, and the headers that name a caller are taken away on every path (docs/access.md).
// https://learn.microsoft.com/en-us/azure/templates/microsoft.web/sites/config-authsettingsv2
resource signIn 'Microsoft.Web/sites/config@2024-04-01' = if (!empty(signInClientId)) {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: false
      unauthenticatedClientAction: 'AllowAnonymous'
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: signInClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            signInClientId
            'api://${signInClientId}'
          ]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

// Nobody deploys with a password.
resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

// A person's settings cannot replace what follows from the resources: of two values, union keeps the last.
resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: site
  name: 'appsettings'
  properties: union(toObject(filter(items(settings), entry => !empty(entry.value)), entry => entry.key, entry => entry.value), names.workerSettings, {
    AUTHENTICATION: empty(signInClientId) ? 'keys' : 'entra'
    AzureWebJobsStorage__blobServiceUri: host.properties.primaryEndpoints.blob
    AzureWebJobsStorage__queueServiceUri: host.properties.primaryEndpoints.queue
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
    DocumentStorage__blobServiceUri: documents.properties.primaryEndpoints.blob
    DocumentStorage__queueServiceUri: documents.properties.primaryEndpoints.queue
    DocumentStorage__credential: 'managedidentity'
    DocumentStorage__clientId: identity.properties.clientId
    INCOMING_CONTAINER: names.containers.incoming
    RECEIPTS_CONTAINER: names.containers.receipts
    LEDGER_CONTAINER: names.containers.ledger
    WORK_QUEUE: names.workQueue
    NOTICE_QUEUE: names.noticeQueue
    PARTNER_FEDERATED_CREDENTIAL: identity.properties.clientId
    PARTNER_REFRESH_TOKEN_VAULT: vault.properties.vaultUri
    PARTNER_REFRESH_TOKEN_SECRET: names.refreshTokenSecret
  })
}

output name string = site.name
output url string = 'https://${site.properties.defaultHostName}'
