// Who is told what. The queries read the lines that the app writes; each alert names its runbook.
param location string
param tags object
param insightsName string
param systemTopicName string

@description('Address that alerts are sent to; without one they stand in the portal only.')
param operatorEmail string

@description('Monthly budget in the currency of the subscription; 0: none.')
param budgetAmount int

@description('First day of the month in which the budget begins.')
param budgetStart string

var runbooks = 'docs/runbooks.md'

var queries = [
  {
    name: 'review'
    query: loadTextContent('queries/review.kql')
    says: 'Something waits for a person.'
    runbook: 'review'
    severity: 2
    every: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'review-old'
    query: loadTextContent('queries/review-old.kql')
    says: 'Something has waited for a person for a day.'
    runbook: 'review'
    severity: 1
    every: 'PT1H'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'sweep-silent'
    query: loadTextContent('queries/sweep.kql')
    says: 'No sweep ended within 15 minutes: what no event brought forward stands still.'
    runbook: 'sweep-silent'
    severity: 1
    every: 'PT5M'
    window: 'PT15M'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'poison'
    query: loadTextContent('queries/poison.kql')
    says: 'Work failed five times and was buried.'
    runbook: 'poison'
    severity: 2
    every: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'partner-center'
    query: loadTextContent('queries/partner-center.kql')
    says: 'Partner Center throttles, or does not answer.'
    runbook: 'partner-center-throttles-or-is-down'
    severity: 2
    every: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 10
  }
  {
    name: 'orders'
    query: loadTextContent('queries/orders.kql')
    says: 'A purchase order was rejected, or an order was cancelled or failed.'
    runbook: 'order-ended-badly'
    severity: 2
    every: 'PT1H'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'sign-in'
    query: loadTextContent('queries/sign-in.kql')
    says: 'The app cannot sign in.'
    runbook: 'sign-in-failed'
    severity: 1
    every: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 2
  }
  {
    name: 'storage'
    query: loadTextContent('queries/storage.kql')
    says: 'Storage refuses what the app needs, or fails.'
    runbook: 'storage-refuses'
    severity: 1
    every: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 4
  }
  {
    name: 'late-drops'
    query: loadTextContent('queries/late-drops.kql')
    says: 'More than one drop of a hundred had no last receipt within 10 minutes.'
    runbook: 'late-drops'
    severity: 2
    every: 'PT1H'
    window: 'P1D'
    operator: 'GreaterThan'
    threshold: 0
  }
]

// https://learn.microsoft.com/en-us/azure/azure-monitor/reference/supported-metrics/microsoft-eventgrid-systemtopics-metrics
var metrics = [
  {
    name: 'DeadLetteredCount'
    says: 'Event Grid gave up on events; the sweep finds what they told of.'
    runbook: 'dead-letters'
    threshold: 0
  }
  {
    name: 'DroppedEventCount'
    says: 'Event Grid lost events; the sweep finds what they told of.'
    runbook: 'dead-letters'
    threshold: 0
  }
  {
    name: 'DeliveryAttemptFailCount'
    says: 'Event Grid cannot deliver: drops are found by the sweep, five minutes late.'
    runbook: 'key-rotated'
    threshold: 10
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: systemTopicName
}

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'operators'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'operators'
    enabled: true
    emailReceivers: empty(operatorEmail) ? [] : [
      {
        name: 'operator'
        emailAddress: operatorEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

// https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-create-log-alert-rule
resource queryAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in queries: {
  name: rule.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    description: '${rule.says} ${runbooks}#${rule.runbook}'
    displayName: rule.name
    severity: rule.severity
    enabled: true
    scopes: [insights.id]
    evaluationFrequency: rule.every
    windowSize: rule.window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // the tables are there once the app has run for the first time
    skipQueryValidation: true
    actions: {
      actionGroups: [operators.id]
    }
  }
}]

resource metricAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for metric in metrics: {
  name: 'events-${metric.name}'
  location: 'global'
  tags: tags
  properties: {
    description: '${metric.says} ${runbooks}#${metric.runbook}'
    severity: 2
    enabled: true
    scopes: [topic.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: metric.name
          metricName: metric.name
          operator: 'GreaterThan'
          threshold: metric.threshold
          timeAggregation: 'Total'
        }
      ]
    }
    actions: [
      {
        actionGroupId: operators.id
      }
    ]
  }
}]

// https://learn.microsoft.com/en-us/azure/service-health/resource-health-alert-arm-template-guide
resource azureItself 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'azure-incident'
  location: 'global'
  tags: tags
  properties: {
    description: 'Azure says that one of its services is disturbed. ${runbooks}#region-lost'
    enabled: true
    scopes: [subscription().id]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'ServiceHealth'
        }
        {
          field: 'properties.incidentType'
          equals: 'Incident'
        }
      ]
    }
    actions: {
      actionGroups: [
        {
          actionGroupId: operators.id
        }
      ]
    }
  }
}

// Told at 80 % of what was spent and at 100 % of what is foreseen: docs/runbooks.md#budget
resource budget 'Microsoft.Consumption/budgets@2023-11-01' = if (budgetAmount > 0) {
  name: 'monthly'
  properties: {
    category: 'Cost'
    amount: budgetAmount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: budgetStart
    }
    notifications: {
      spent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: []
        contactGroups: [operators.id]
      }
      foreseen: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: []
        contactGroups: [operators.id]
      }
    }
  }
}
