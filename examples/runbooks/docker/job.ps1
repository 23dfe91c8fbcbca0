# What the container runs. The secret is a file, so it is in no image, environment or process list.
$ErrorActionPreference = 'Stop'
$folder = $env:SECRETS_DIRECTORY ?? '/run/secrets'
$secret = Get-Content (Join-Path $folder client_secret) -Raw | ForEach-Object Trim | ConvertTo-SecureString -AsPlainText
$token = Invoke-OAuth2TokenEndpoint $env:TOKEN_ENDPOINT -client_id $env:CLIENT_ID -client_secret $secret -scope api.read
Invoke-RestMethod $env:API -Headers @{ Authorization = "Bearer $($token.access_token)" }
