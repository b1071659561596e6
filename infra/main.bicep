// Everything that Azure Resource Manager can create for the app, in a resource group of its own.
// `azd up` deploys this, then the code, then events.bicep and secret.bicep (postdeploy.py).
// Parsed and compared with Microsoft's published types, not compiled and not tried live: docs/setup.md.
// Shape after https://github.com/Azure-Samples/functions-quickstart-python-azd-eventgrid-blob and
// https://github.com/Azure-Samples/azure-functions-flex-consumption-samples/tree/main/IaC/bicep
targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Name of the azd environment: tag of every resource, and part of the resource group\'s name.')
param environmentName string

@minLength(1)
@description('Region of every resource.')
param location string

@allowed([2048, 4096])
@description('Memory of one instance, in MB. The limits of one instance (docs/operations.md) are made for 2048; 512 would not survive the largest bodies.')
param instanceMemoryMB int = 2048

@description('Client id of the app registration that callers sign in to (docs/access.md). Empty: callers show function keys.')
param signInClientId string = ''

@minValue(1)
@maxValue(1000)
@description('Most instances at once.')
param maximumInstanceCount int = 40

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
@description('Redundancy of the documents account, which holds the ledger: docs/runbooks.md#region-lost.')
param documentsSku string = 'Standard_GRS'

@description('Name of the Event Grid system topic. A storage account has one at most: where it has one already, give its name.')
param systemTopicName string = ''

@description('Address that alerts are sent to; without one they stand in the portal only.')
param operatorEmail string = ''

@minValue(0)
@description('Monthly budget in the currency of the subscription; 0: none.')
param budgetAmount int = 0

@description('First day of the month in which the budget begins, such as 2027-01-01.')
param budgetStart string = ''

@description('The setting CUSTOMER_BINDINGS, JSON as text (docs/access.md). Empty: nobody is bound.')
param customerBindings string = ''

@description('Settings of docs/settings.md by their names. Empty ones are not given to the app.')
param settings object = {}

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    documentsSku: documentsSku
    systemTopicName: empty(systemTopicName) ? 'documents-${token}' : systemTopicName
    allowedOrigins: settings.?ALLOWED_ORIGINS ?? ''
  }
}

module identity 'identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
  }
}

module roles 'roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    appPrincipalId: identity.outputs.principalId
    topicPrincipalId: storage.outputs.topicPrincipalId
    documentsAccountName: storage.outputs.documentsAccountName
    hostAccountName: storage.outputs.hostAccountName
    deadLetterContainer: storage.outputs.deadLetterContainer
    insightsName: monitoring.outputs.insightsName
  }
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    identityName: identity.outputs.name
    vaultName: identity.outputs.vaultName
    documentsAccountName: storage.outputs.documentsAccountName
    hostAccountName: storage.outputs.hostAccountName
    packageContainer: storage.outputs.packageContainer
    insightsName: monitoring.outputs.insightsName
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    signInClientId: signInClientId
    settings: union(settings, { CUSTOMER_BINDINGS: customerBindings })
  }
  dependsOn: [roles] // a site that may not read its package container does not start
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    insightsName: monitoring.outputs.insightsName
    systemTopicName: storage.outputs.systemTopicName
    operatorEmail: operatorEmail
    budgetAmount: budgetAmount
    budgetStart: budgetStart
  }
}

// azd keeps these in its environment, where postdeploy.py reads them
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output APP_NAME string = app.outputs.name
output APP_URL string = app.outputs.url
output SYSTEM_TOPIC_NAME string = storage.outputs.systemTopicName
output DOCUMENTS_ACCOUNT_NAME string = storage.outputs.documentsAccountName
output DEAD_LETTER_CONTAINER string = storage.outputs.deadLetterContainer
output VAULT_NAME string = identity.outputs.vaultName
output IDENTITY_NAME string = identity.outputs.name
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
