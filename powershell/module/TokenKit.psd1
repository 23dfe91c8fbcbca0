@{
    NestedModules        = @('TokenKit.Arguments.psm1', 'TokenKit.dll')
    ModuleVersion        = '0.1.0'
    GUID                 = '53fc9542-2965-4201-a17a-fbf971eea40c'
    Author               = 'The TokenKit authors'
    Copyright            = '(c) The TokenKit authors. MIT OR Apache-2.0.'
    Description          = 'Gets, refreshes, checks and keeps OAuth 2.0 and OpenID Connect tokens: every grant and client authentication, done by a native library that brings no assemblies other modules could collide with.'

    PowerShellVersion    = '7.4'
    CompatiblePSEditions = 'Core'

    # Loaded first: the members in TokenKit.Types.ps1xml are methods of it.
    RequiredAssemblies   = @('TokenKit.dll')
    TypesToProcess       = @('TokenKit.Types.ps1xml')
    FormatsToProcess     = @('TokenKit.Format.ps1xml')

    CmdletsToExport      = @(
        'Clear-D365LcsApiConfig',
        'Clear-WebView2Cache',
        'Convert-UnixTime',
        'ConvertFrom-JsonToApiCredential',
        'ConvertFrom-JsonToDelegatedAccessToken',
        'ConvertFrom-JsonToDelegatedAccessTokenApiResult',
        'ConvertFrom-JsonWebToken',
        'ConvertTo-Jwk',
        'Disable-D365Exception',
        'Enable-D365Exception',
        'Get-D365LcsApiConfig',
        'Get-D365LcsApiToken',
        'Get-DelegateAccessToken',
        'Get-GovernanceConfiguration',
        'Get-GovernanceHostSetting',
        'Get-GovernanceHostSettingUrl',
        'Get-OAuth2UserInfo',
        'Get-OidcDiscoveryMetadata',
        'Get-TokenKitStore',
        'Get-VenafiSession',
        'Import-D365LcsApiConfig',
        'Invoke-D365LcsApiRefreshToken',
        'Invoke-DeleteTokenCache',
        'Invoke-OAuth2AuthorizationEndpoint',
        'Invoke-OAuth2DeviceAuthorizationEndpoint',
        'Invoke-OAuth2TokenEndpoint',
        'Invoke-RefreshUserAccessToken',
        'Move-TokenKitStore',
        'New-ApiCredential',
        'New-DelegatedAccessToken',
        'New-DelegatedAccessTokenApiResult',
        'New-OAuth2JwtAssertion',
        'New-OAuth2KeyPair',
        'New-PkceChallenge',
        'New-VcToken',
        'New-VenafiSession',
        'Set-D365LcsApiConfig',
        'Set-GovernanceConfiguration',
        'Set-GovernanceConfigurationApiKey',
        'Set-GovernanceConfigurationApiKeyPrefix',
        'Set-GovernanceConfigurationDefaultHeader',
        'Test-D365LcsApiToken',
        'Test-JsonWebToken',
        'Test-JsonWebTokenSignature',
        'Test-VcToken'
    )
    AliasesToExport      = @(
        'authorize',
        'deviceauth',
        'Get-Configuration',
        'Get-HostSetting',
        'Get-UnixTime',
        'Get-UrlFromHostSetting',
        'Invoke-AuthorizationEndpoint',
        'Invoke-DeviceAuthorizationEndpoint',
        'Invoke-TokenEndpoint',
        'Set-Configuration',
        'Set-ConfigurationApiKey',
        'Set-ConfigurationApiKeyPrefix',
        'Set-ConfigurationDefaultHeader',
        'token'
    )
    FunctionsToExport    = @()
    VariablesToExport    = 'VenafiSession'

    PrivateData          = @{
        PSData = @{
            Tags         = @('OAuth', 'OAuth2', 'OpenIDConnect', 'OIDC', 'Token', 'JWT', 'Authentication', 'Security', 'Dynamics365', 'LCS', 'PSEdition_Core', 'Windows', 'Linux', 'MacOS')
            ProjectUri   = 'https://github.com/tokenkit/tokenkit'
            LicenseUri   = 'https://github.com/tokenkit/tokenkit/blob/main/LICENSE'
            ReleaseNotes = 'https://github.com/tokenkit/tokenkit/blob/main/CHANGELOG.md'
        }
    }
}
