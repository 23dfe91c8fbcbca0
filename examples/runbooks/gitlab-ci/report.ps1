# Run by .gitlab-ci.yml.
$ErrorActionPreference = 'Stop'
$token = Invoke-OAuth2TokenEndpoint $env:TOKEN_ENDPOINT -client_id $env:CLIENT_ID -ClientAssertion $env:TOKENKIT_ID_TOKEN -scope api.read
Invoke-RestMethod $env:API -Headers @{ Authorization = "Bearer $($token.access_token)" }
