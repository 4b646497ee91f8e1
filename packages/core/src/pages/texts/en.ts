/** Every text of the pages, in English. `{client}` and the like are filled in by the page. */
export const en = {
  lang: "en",
  terms: "Terms of use",
  privacy: "Privacy",
  consent: {
    title: "Allow access?",
    heading: "{client} asks for access to {resource}",
    unverified: "Unverified name",
    identified: {
      dynamic: "The app chose this name itself and nobody has checked it. What counts is the destination below.",
      document: "The app is identified by its address at {host}: whoever runs that site runs this app.",
      registered: "An administrator of this server set up this app.",
    },
    destination: {
      web: "If you approve, access goes to",
      loopback: "If you approve, access goes to an app on this computer, at",
      customScheme: "If you approve, access goes to the app on this device that opens links beginning with",
    },
    warning: {
      loopback: "This app runs on your computer. Approve only if you have just started signing in from it yourself.",
      customScheme:
        "Any app on this device can claim such links. Approve only if you have just started signing in from the app yourself.",
      newClient: "This app has been known here for less than a day. Approve only if you have just added it yourself.",
    },
    scopes: "It will be able to",
    noScopes: "Sign you in, and nothing more.",
    comesWith: "Comes with “{scope}”.",
    nothingTicked: "Nothing is ticked. Tick what the app may do, or choose Deny.",
    otherUser:
      "You are signed in as {user}. What is remembered in this browser was approved by another account, so please decide for this one.",
    server: "Server",
    anotherAccount: "Use another account",
    anotherAccountHint: "Signs you out first, so that you can sign in as somebody else.",
    approve: "Approve",
    deny: "Deny",
    next: "After approving you sign in, unless you are signed in already. If you did not start this, choose Deny.",
    remembered: "If you approve, you are not asked about the same app, destination and access again for {time}. {list}",
    rememberedList: "See what is remembered",
  },
  remembered: {
    title: "Remembered approvals",
    nothing: "Nothing is remembered: apps ask you each time.",
    intro: "In browsers that you have signed in with, you are not asked about these again:",
    destination: "Destination",
    resource: "Server",
    access: "Access",
    until: "Remembered until",
    forget: "Forget",
    forgetLabel: "Forget the approval for {client}",
    forgetAll: "Forget all",
    effect:
      "What you forget here is asked about again at the next sign-in. Apps that are connected now stay connected.",
    signOut: "Sign out of this browser",
  },
  logout: {
    title: "Sign out?",
    what: "This ends your sign-in in this browser, here and at the sign-in service.",
    apps: "Apps that are connected now stay connected, and approvals are asked for again at the next sign-in.",
    confirm: "Sign out",
  },
  signedOut: {
    title: "You are signed out",
    what: "This browser keeps no sign-in of this server. You can close this page.",
  },
  error: {
    reference: "Reference",
    details: "Details for whoever looks after the app",
    next: "What you can do",
    kinds: {
      unknownClient: {
        title: "This app has to register again",
        whatHappened:
          "The app signs in with a registration that this server does not know. It was probably removed because it was not used for a long time.",
        whatToDo: "Clear the registration that the app has saved for this server, then connect again:",
      },
      clientDocument: {
        title: "This app cannot be identified",
        whatHappened:
          "The app is described in a document on a site of its own. This server needs that document to know who asks, and cannot accept it.",
        whatToDo: "Nothing was approved. Tell whoever looks after the app; the details below say what is wrong.",
      },
      otherBrowser: {
        title: "This sign-in belongs to another browser",
        whatHappened: "It was begun in another browser, or in another profile of this one.",
        whatToDo: "Go back to the app and connect again in one and the same browser.",
      },
      noCookie: {
        title: "This browser did not keep its cookie",
        whatHappened:
          "The cookie that ties the sign-in to this browser is missing. That happens in windows inside other apps, in private windows that were closed meanwhile, and where cookies are blocked.",
        whatToDo:
          "Allow cookies for this site. Then go back to the app and connect again; if it opens a window of its own, choose “Open in browser” there, so that your system's browser is used from the beginning.",
      },
      over: {
        title: "This sign-in is over",
        whatHappened: "It was finished or answered already, or it was left open for too long.",
        whatToDo: "Close this page, go back to the app and connect again.",
      },
      untrustedForm: {
        title: "This form was not accepted",
        whatHappened: "It was not sent from a page of this server, or it was changed on its way.",
        whatToDo: "Nothing was approved. Go back to the app and connect again.",
      },
      wrongRedirect: {
        title: "The app's return address is not registered",
        whatHappened:
          "The app asked for the answer to go to an address that it has not registered with this server. To keep your access safe, the sign-in stops here.",
        whatToDo: "Connect again from the app. If this page comes back, tell whoever looks after the app.",
      },
      wrongSignOut: {
        title: "This sign-out link is not allowed",
        whatHappened: "It asks to be sent on to an address that this server does not send people to.",
        whatToDo: "Open the address of this page without anything behind the question mark, and sign out there.",
      },
      tooMany: {
        title: "Too many requests",
        whatHappened: "More sign-ins were begun than this server allows in a minute.",
        whatToDo: "Wait a minute, then connect again from the app.",
      },
      unavailable: {
        title: "Signing in is not possible at the moment",
        whatHappened: "This server cannot reach a service that it needs. Nothing of yours was changed.",
        whatToDo: "Try again in a few minutes.",
      },
      internal: {
        title: "Something went wrong here",
        whatHappened: "This server could not finish the sign-in.",
        whatToDo: "Try again. If this page comes back, tell your administrator the reference below.",
      },
      badRequest: {
        title: "The app made a request that cannot be served",
        whatHappened: "Something in the app's sign-in request is missing or wrong.",
        whatToDo: "Connect again from the app. If this page comes back, tell whoever looks after the app.",
      },
    },
    clearRegistration: [
      {
        client: "Claude Code",
        how: "Type /mcp, choose this server and clear its authentication. If that is not offered, remove the server with “claude mcp remove” and add it again under another name.",
      },
      {
        client: "Cursor",
        how: "Open the command palette, run “Clear All MCP Tokens”, then connect the server again in Settings under MCP.",
      },
      {
        client: "VS Code",
        how: "Open the command palette, run “Authentication: Remove Dynamic Authentication Providers”, choose this server, then restart it.",
      },
      { client: "mcp-remote", how: "Delete the folder .mcp-auth in your home directory, then start the app again." },
      { client: "Any other app", how: "Remove this server from the app and add it again." },
    ],
  },
};

/** The texts of one language. */
export type Texts = typeof en;
