import{k as a,l as b}from"./chunk-CHL52K77.js";import"./chunk-2XRNV2O2.js";import"./chunk-4VMHCVO7.js";export{a as PersonOfRoom,b as PersonPanel};
